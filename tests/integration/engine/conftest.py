"""Engines on restic, and a store with a repository."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from connector.engine.restic import ResticEngine, ResticSettings
from connector.engine.restic.environment import environment, global_arguments
from integrations.sdk.locations import StoreLocation

from tests.contracts.engine_suite import Restore
from tests.support.s3 import S3Server, rclone_s3

PASSPHRASE = "canary: correct/horse & bättery"
NewEngine = Callable[..., ResticEngine]


def on_disk(place: Path) -> StoreLocation:
    return StoreLocation(address=str(place), passphrase=PASSPHRASE, local_path=place)


@pytest.fixture
def new_engine(restic: Path, tmp_path: Path) -> NewEngine:
    """Makes an engine; `program` and other settings can be given."""

    def make(**settings: object) -> ResticEngine:
        chosen = {"program": str(restic), "cache_dir": tmp_path / "cache", **settings}
        return ResticEngine(ResticSettings(**chosen))  # type: ignore[arg-type]

    return make


@pytest.fixture
def engine(new_engine: NewEngine) -> ResticEngine:
    return new_engine()


@pytest.fixture
def restore(restic: Path, tmp_path: Path) -> Restore:
    """restic itself, as somebody without Cairn would run it."""
    settings = ResticSettings(program=str(restic), cache_dir=tmp_path / "cache")

    def run(store: StoreLocation, snapshot_id: str, target: Path) -> None:
        command = [*global_arguments(store, settings), "restore", snapshot_id, "--target", str(target)]
        subprocess.run(command, env={**os.environ, **environment(store)}, check=True, capture_output=True)

    return run


@pytest.fixture(scope="session")
async def initialized(restic: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a repository, to be copied: restic takes a second to make one."""
    place = tmp_path_factory.mktemp("initialized")
    engine = ResticEngine(ResticSettings(program=str(restic), cache_dir=place / "cache"))
    await engine.initialize(on_disk(place / "store"))
    return place / "store"


@pytest.fixture
def ready(initialized: Path, tmp_path: Path) -> StoreLocation:
    """A store on disk with a repository of a test's own."""
    shutil.copytree(initialized, tmp_path / "store")
    return on_disk(tmp_path / "store")


@pytest.fixture(scope="session")
def server(rclone: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with rclone_s3(rclone, tmp_path_factory.mktemp("s3")) as running:
        yield running
