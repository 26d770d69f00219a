"""An integration's surroundings, and a way to say what app it is to reach."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from connector.engine.port import Level
from connector.integrations.configuration import AppConfiguration
from connector.integrations.rclone.mount import why_not_mount
from connector.integrations.surroundings import Surroundings
from contracts.assignment import AppKind
from contracts.values import AppId, OrganizationId

from tests.support.jobs import Jobs

Configure = Callable[..., AppConfiguration]
needs_mount = pytest.mark.skipif(bool(why_not_mount()), reason=f"no mounts here: {why_not_mount()}")
"""Machines without FUSE skip these; a skip fails CI."""


@pytest.fixture
def surroundings(rclone: Path, tmp_path: Path) -> Surroundings:
    (tmp_path / "state").mkdir()
    return Surroundings(
        rclone=str(rclone), work_dir=tmp_path / "work", state_dirs=(tmp_path / "state",), reading="sync"
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
