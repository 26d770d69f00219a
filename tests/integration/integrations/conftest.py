"""An integration's environment, and a way to say what app it is to reach."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from connector.programs import open_program
from contracts.messages.assignment import AppKind
from contracts.values import AppId, OrganizationId
from integrations.rclone.mount import why_not_mount
from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.environment import WorkerEnvironment
from integrations.sdk.job_log import Level

from tests.support.jobs import Jobs

Configure = Callable[..., AppConfiguration]
needs_mount = pytest.mark.skipif(bool(why_not_mount()), reason=f"no mounts here: {why_not_mount()}")
"""Machines without FUSE skip these; a skip fails CI."""


@pytest.fixture
def environment(rclone: Path, tmp_path: Path) -> WorkerEnvironment:
    (tmp_path / "state").mkdir()
    return WorkerEnvironment(
        open_program=open_program,
        rclone=str(rclone),
        work_dir=tmp_path / "work",
        state_dirs=(tmp_path / "state",),
        reading="sync",
    )


@pytest.fixture
def cancel() -> asyncio.Event:
    return asyncio.Event()


class Log(list[tuple[Level, str]]):
    """Lines for a job's log."""

    def add(self, level: Level, text: str) -> None:
        self.append((level, text))

    @property
    def text(self) -> str:
        return "\n".join(text for _, text in self)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def configure() -> Configure:
    def build(kind: AppKind, protocol: str, *, endpoint: str = "", **fields: str) -> AppConfiguration:
        return AppConfiguration(
            app_id=AppId("0190a0f0-0000-7000-8000-000000000001"),
            organization_id=OrganizationId("0190a0f0-0000-7000-8000-000000000002"),
            kind=kind,
            protocol=protocol,
            endpoints=(endpoint,) if endpoint else (),
            fields=fields,
        )

    return build


@pytest.fixture(scope="module")
async def initialized(restic: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of `Jobs`, to be copied."""
    jobs = Jobs(restic, tmp_path_factory.mktemp("initialized"))
    await jobs.initialize(jobs.store())
    return Path(jobs.store().address)
