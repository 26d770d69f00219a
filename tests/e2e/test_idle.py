"""A platform that has been used and is left alone."""

import time
from pathlib import Path

from cairn_local.api_client import Api

from tests.e2e.conftest import Directory, Platform
from tests.support.waiting import eventually

IDLE_SECONDS = 30
"""Long enough that the comparison of stores of tests before it does not count as noise of its own."""
QUIET_BYTES_PER_SECOND = 200


def test_logs_hardly_grow_while_nothing_happens(
    platform: Platform, api: Api, directory: Directory, tree: Path, tmp_path: Path
) -> None:
    _, source = directory("source", tree)
    _, store = directory("store", tmp_path / "store")
    api.post(f"/connectors/{store}/stores/create")
    assert api.wait_for_run(api.start_backup(source, store))["status"] == "succeeded"
    eventually(lambda: len(api.snapshots(store)) == 1)

    before, end = log_bytes(platform), time.monotonic() + IDLE_SECONDS
    eventually(lambda: time.monotonic() >= end, deadline_seconds=2 * IDLE_SECONDS)
    grown = {name: size - before.get(name, 0) for name, size in log_bytes(platform).items()}
    assert sum(grown.values()) <= IDLE_SECONDS * QUIET_BYTES_PER_SECOND, grown


def log_bytes(platform: Platform) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in platform.state.logs.iterdir()}
