"""`cairn demo`, as `make demo` runs it, in a small folder in place of the checkout."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cairn_local.demo.tree_comparison import COMPARED
from cairn_local.paths import StateDir
from cairn_local.platform import down
from cairn_local.status import read_status

from tests.integration.local.conftest import environment

README = "# A folder\n" + "with something in it\n" * 20


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    made = tmp_path / "checkout"
    (made / ".venv").mkdir(parents=True)
    (made / "README.md").write_text(README)
    (made / "docs").mkdir()
    (made / "docs" / "index.md").write_text(README)
    (made / "latest").symlink_to("docs/index.md")
    (made / ".venv" / "ignored").touch()
    yield made
    down(StateDir(tmp_path / "state"))


def start_demo(folder: Path, *arguments: str, **more: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "cairn_local", "demo", *arguments],
        cwd=folder,
        env=environment(CAIRN_HOME=str(folder.parent / "state"), **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def demo(folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    with start_demo(folder, "--exit", **more) as command:
        stdout, stderr = command.communicate()
    return subprocess.CompletedProcess(command.args, command.returncode, stdout, stderr)


def test_demo_does_the_main_job_and_stops_everything(folder: Path) -> None:
    done = demo(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Download /README.md and compare it with its source\n     -> {len(README)} bytes, equal" in done.stdout
    assert "Download bytes 100-199 of /2026/summit.raw\n     -> bytes 100-199/3000000, equal" in done.stdout
    assert done.stdout.count("-> a new repository is there") == 2
    assert "entries: README.md" in done.stdout
    assert f"-> 2 files, 1 directories, 1 symbolic links: {COMPARED} equal\n" in done.stdout
    [restored] = (folder / ".cairn-demo" / "restored").iterdir()
    assert (restored / "latest").read_text() == README
    assert done.stdout.endswith("Everything is stopped.\n")
    assert not read_status(StateDir(folder.parent / "state")).running


def test_demo_that_fails_says_why_and_stops_everything(folder: Path) -> None:
    (allowed := folder.parent / "elsewhere").mkdir()
    done = demo(folder, CAIRN_ALLOWED_ROOTS=str(allowed))
    assert done.returncode == 1, done.stdout
    assert "source folder" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.endswith("Everything is stopped.\n")
    assert not read_status(StateDir(folder.parent / "state")).running


def test_interrupted_demo_stops_everything(folder: Path) -> None:
    with start_demo(folder) as command:
        assert any("Register the resource" in line for line in command.stdout or ())
        command.send_signal(signal.SIGTERM)
        stdout, stderr = command.communicate()
    assert command.returncode == 130, stderr
    assert stdout.endswith("Everything is stopped.\n")
    assert not read_status(StateDir(folder.parent / "state")).running
