import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from cairn_local import supervisor_control
from cairn_local.paths import StateDir
from cairn_local.platform import Started, down, up
from cairn_local.services import Service
from cairn_local.status import read_status
from cairn_local.step_reporters import SilentReporter
from cairn_local.supervisor.process_record import find_process, load_record

from tests.integration.local.fake_service import FAKE_SERVICES

PROJECT = Path(__file__).parents[3]


def environment(**more: str) -> dict[str, str]:
    """The caller's environment without servers that it may name: here they are started."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CAIRN_") or name == "CAIRN_CACHE"}
    return kept | {"PYTHONPATH": str(PROJECT)} | more


@dataclass
class LocalPlatform:
    """A platform of fake services in a folder of its own."""

    state: StateDir
    services: Sequence[Service] = FAKE_SERVICES
    environ: dict[str, str] = field(default_factory=environment)

    def up(self) -> Started:
        return up(self.state, reporter=SilentReporter(), services=self.services, environ=self.environ)

    def down(self) -> bool:
        return down(self.state)

    def cairn(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        with self.start_cairn(*arguments) as command:
            stdout, stderr = command.communicate(timeout=180)
        return subprocess.CompletedProcess(command.args, command.returncode, stdout, stderr)

    def start_cairn(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "tests.integration.local.cairn_with_fake_services", *arguments],
            env=self.environ | {"CAIRN_HOME": str(self.state.root)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def process(self, name: str) -> psutil.Process:
        record = load_record(self.state.processes)
        process = find_process(record.supervisor if name == "supervisor" else record.processes.get(name))
        assert process is not None, f"{name} does not run"
        return process

    def processes(self) -> list[psutil.Process]:
        names = ["supervisor", *load_record(self.state.processes).processes]
        return [self.process(name) for name in names]

    def healthy(self) -> bool:
        return read_status(self.state).healthy


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPlatform]:
    """One platform for the tests of a file; each leaves it up."""
    platform = LocalPlatform(StateDir(tmp_path_factory.mktemp("platform") / "state"))
    yield platform
    supervisor_control.stop(platform.state)


@pytest.fixture
def platform(shared: LocalPlatform) -> LocalPlatform:
    """The shared platform, up and healthy."""
    shared.up()
    return shared
