import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(*arguments: str, **environ: str) -> str:
    command = ["make", "--no-print-directory", *arguments]
    kept = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "EXIT")}
    return subprocess.run(command, cwd=PROJECT, env=kept | environ, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(("value", "stops"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_demo_stops_at_the_end_when_told_so(value: str, stops: bool) -> None:
    assert ("--exit" in make("-n", "demo", f"EXIT={value}")) == stops


def test_programs_find_the_uv_of_the_caller(tmp_path: Path) -> None:
    (more := tmp_path / "more.mk").write_text("show:\n\t@echo $$UV\n")
    assert make("-f", "Makefile", "-f", str(more), "show", UV="/bin/uv") == "/bin/uv\n"


def test_nothing_that_runs_is_no_error_of_make(tmp_path: Path) -> None:
    assert "not" in make("status", CAIRN_HOME=str(tmp_path / "state"))


@pytest.mark.parametrize("command", ["down", "status"])
def test_stopping_and_looking_install_nothing(command: str) -> None:
    assert "uv sync" not in make("-n", command, "--always-make")


@pytest.mark.parametrize("command", ["test", "test-unit", "test-long"])
def test_tests_run_in_as_many_processes_as_wanted(command: str) -> None:
    assert " -n 2 --dist loadfile " in make("-n", command, "PROCESSES=2")
    assert " -n " not in make("-n", command, "PROCESSES=1")
