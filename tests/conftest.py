"""Fixtures for all tests. Servers start only when a test asks for them."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from chassis.runtime.settings import CommonSettings
from hypothesis import is_hypothesis_test, settings

from tests.support.environment import Corner, write_key_file
from tests.support.infra import Infra, find_rclone, find_restic, open_infra
from tests.support.kafka import Wire, open_wire
from tests.support.side_by_side import longest_first, pytest_report_to_serializable, pytest_xdist_make_scheduler
from tests.support.skips import pytest_make_collect_report, pytest_runtest_makereport

settings.register_profile("quick", max_examples=25, deadline=None)
settings.register_profile("long", settings.get_profile("default"), max_examples=500, deadline=None)
settings.load_profile("quick")
__all__ = [
    "pytest_make_collect_report",
    "pytest_report_to_serializable",
    "pytest_runtest_makereport",
    "pytest_xdist_make_scheduler",
]


def pytest_report_header() -> str | None:
    """With what random cases are made, where somebody chose it."""
    chosen = {name: value for name, value in os.environ.items() if name.startswith("CAIRN_FUZZ_")}
    return f"random cases: {chosen}" if chosen else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by their folder, and those that try random cases: what is few here is many in `make test-long`."""
    if hasattr(config, "workerinput"):  # one of several processes
        longest_first(items)
    here = Path(__file__).parent
    for item in items:
        folder = item.path.relative_to(here).parts[0] if here in item.path.parents else ""
        if folder in ("integration", "e2e"):
            item.add_marker(folder)
        if is_hypothesis_test(getattr(item, "function", None)):
            item.add_marker("fuzz")


@pytest.fixture(scope="session")
def infra() -> Iterator[Infra]:
    """Kafka and MongoDB, shared by the whole run."""
    with open_infra() as servers:
        yield servers


@pytest.fixture(scope="session")
def restic() -> Path:
    """The restic program."""
    return find_restic()


@pytest.fixture(scope="session")
def rclone() -> Path:
    """The rclone program."""
    return find_rclone()


@pytest.fixture(scope="session")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the key that signs internal calls."""
    return write_key_file(tmp_path_factory.mktemp("keys") / "service.key")


@pytest.fixture(scope="module")
def corner(infra: Infra, key_file: Path) -> Iterator[Corner]:
    """Databases, topics and a name of this test module's own."""
    made = Corner(infra, key_file)
    yield made
    made.drop()


@pytest.fixture
def fresh_corner(infra: Infra, key_file: Path) -> Iterator[Corner]:
    """A corner of a single test's own, for tests that read a topic from its start or need their own group."""
    made = Corner(infra, key_file)
    yield made
    made.drop()


@pytest.fixture(scope="module")
def common_settings(corner: Corner) -> Callable[..., CommonSettings]:
    """Makes settings that lead to the module's corner: `common_settings(http_port=1)`, `common_settings(Settings)`."""
    return corner.settings


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def wire(corner: Corner) -> AsyncIterator[Wire]:
    """An outsider's connection to the module's topics."""
    async with open_wire(corner.settings()) as opened:
        yield opened
