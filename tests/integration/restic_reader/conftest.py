import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from cairn_local.paths import find_cache_dir
from cairn_local.provision.cache import Cache
from cairn_local.provision.programs import EngineTools, provision_engine
from cairn_local.step_reporters import SilentReporter
from restic_reader import LocalFiles, Repository

from tests.integration.restic_reader.restic_cli import PASSWORD, Restic
from tests.integration.restic_reader.sources import Source

FORMATS = ["v1", "v2-off", "v2-auto", "v2-max"]
SEED = int(os.environ.get("CAIRN_FUZZ_SEED", "20"))
"""Of the random directories; another one makes others."""


class Sample(NamedTuple):
    """A directory, and a repository that holds one snapshot of it."""

    source: Path
    restic: Restic
    snapshot: str


@pytest.fixture(scope="session")
def engine() -> EngineTools:
    found = provision_engine(Cache(find_cache_dir(os.environ)), SilentReporter())
    return EngineTools(Path(os.environ.get("CAIRN_RESTIC") or found.restic), found.rclone)


@pytest.fixture(scope="session", params=FORMATS)
def sample(
    request: pytest.FixtureRequest, engine: EngineTools, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sample]:
    """In each format another random directory."""
    source = tmp_path_factory.mktemp("source")
    Source(source, seed=SEED + FORMATS.index(request.param)).fill()
    version, _, compression = str(request.param).partition("-")
    restic = Restic(engine.restic, str(tmp_path_factory.mktemp("repository")))
    restic.init(int(version[1:]))
    options = ["--compression", compression] if compression else []
    yield Sample(source, restic, restic.backup(source, "--host", "there", "--tag", "one,two", *options))
    # Before pytest removes it: that recurses, and it may be two thousand directories deep.
    subprocess.run(["rm", "-rf", source], check=True)


@pytest.fixture
def repository(sample: Sample) -> Iterator[Repository]:
    with Repository.open(LocalFiles(sample.restic.path), PASSWORD) as opened:
        yield opened


@pytest.fixture
def new_restic(engine: EngineTools, tmp_path: Path) -> Callable[[], Restic]:
    def build() -> Restic:
        restic = Restic(engine.restic, str(tmp_path / "repository"))
        restic.init()
        return restic

    return build
