"""Tests in two processes: which are handed out together, which first, and reports that can go between processes.

The tests of a file stay together, for they share what it sets up; so do all journeys, for they share a platform. What
takes long is handed out first and what takes milliseconds last: then both processes end at nearly the same time.
"""

from collections.abc import Generator
from typing import Any

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

JOURNEYS = "tests/e2e"
ORDER = (JOURNEYS, "tests/integration/gateway/test_document.py", "tests/integration/", "tests/contracts/")
"""What is handed out first, one after the other; the rest, tests that take milliseconds, fills the end."""


class FilesSideBySide(LoadFileScheduling):
    """Hands out whole files, and all journeys as one."""

    def _split_scope(self, nodeid: str) -> str:
        return JOURNEYS if nodeid.startswith(f"{JOURNEYS}/") else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FilesSideBySide | None:
    """Our way to share out tests, where whole files were asked for."""
    return FilesSideBySide(config, log) if config.getoption("dist") == "loadfile" else None


def longest_first(items: list[pytest.Item]) -> None:
    """Put the tests into the order in which their files are handed out; the tests of a file stay as they are."""
    items.sort(key=lambda item: next((n for n, place in enumerate(ORDER) if item.nodeid.startswith(place)), len(ORDER)))


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, dict[str, Any] | None, dict[str, Any] | None]:
    """Write what is no UTF-8 as an escape: texts of tests hold any sign, and a process that cannot send one ends."""
    data = yield
    return None if data is None else {name: sendable(value) for name, value in data.items()}


def sendable(value: Any) -> Any:
    """The same with every lone surrogate, in texts at any depth, as an escape."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {sendable(key): sendable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(sendable(each) for each in value)
    return value
