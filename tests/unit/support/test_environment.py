import subprocess
from pathlib import Path

import pytest

from tests.benchmarks.bench import Bench
from tests.support.environment import platform_environment


@pytest.fixture
def named_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAIRN_KAFKA", "127.0.0.1:9092")
    monkeypatch.setenv("CAIRN_MONGODB_URI", "mongodb://127.0.0.1:27017")
    monkeypatch.setenv("CAIRN_CACHE", "/kept")


@pytest.mark.usefixtures("named_servers")
def test_a_platform_of_a_test_starts_servers_of_its_own() -> None:
    environment = platform_environment(CAIRN_HOME="/here")

    assert {name: value for name, value in environment.items() if name.startswith("CAIRN_")} == {
        "CAIRN_CACHE": "/kept",
        "CAIRN_HOME": "/here",
    }
    assert "PATH" in environment


@pytest.mark.usefixtures("named_servers")
def test_so_does_a_platform_that_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, str]] = []

    def run(command: list[str], *, env: dict[str, str], **_: object) -> "subprocess.CompletedProcess[str]":
        seen.append(env)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    Bench(tmp_path, 1, Path("restic")).cairn("up")

    assert seen[0].keys().isdisjoint({"CAIRN_KAFKA", "CAIRN_MONGODB_URI"})
    assert seen[0]["CAIRN_HOME"] == str(tmp_path / "state")
