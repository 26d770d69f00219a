"""A platform of the version before this one comes up under this one, with everything that it had.

`state_87a95d4.tar.xz` was recorded by `record_state.py` with commit 87a95d4: sources and stores in directories and
buckets, backups, a failed and a canceled job, restore points that were opened, and messages that nobody had read yet.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cairn_local.api_client import Api, Json

from tests.e2e.conftest import LEASE_SECONDS, Platform
from tests.e2e.upgrade.load_state import Recorded, load, unpacked
from tests.e2e.upgrade.record_state import PLACE, S3_PORT, words
from tests.support.environment import platform_environment
from tests.support.s3 import rclone_s3
from tests.support.waiting import eventually

RECORDED = Path(__file__).with_name("state_87a95d4.tar.xz")
FILES = {"/letters/first.txt": words(1, 9000), "/letters/second.txt": words(2, 500), "/plan.md": words(3, 2000)}


@dataclass(frozen=True)
class Upgraded:
    """The platform under this version, and what the former one had recorded."""

    api: Api
    recorded: Recorded

    def points(self, store: str) -> list[Json]:
        """The restore points of a store, newest first."""
        found = self.api.snapshots(self.recorded.ids[store])
        return sorted(found, key=lambda point: str(point["creation_time"]), reverse=True)


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory, rclone: Path) -> Iterator[Upgraded]:
    home = tmp_path_factory.mktemp("upgraded") / "state"
    home.mkdir(mode=0o700)
    platform = Platform(home, platform_environment(CAIRN_HOME=str(home), CAIRN_LEASE_SECONDS=str(LEASE_SECONDS)))
    with unpacked(RECORDED, home) as dump, rclone_s3(rclone, PLACE / "s3", port=S3_PORT):
        recorded = asyncio.run(load(dump, home))
        try:
            platform.cairn("up")
            with platform.api() as api:
                yield Upgraded(api, recorded)
        finally:
            platform.cairn("down", check=False)


def differences(old: Any, new: Any, at: str) -> list[str]:
    """Where a new answer lacks what the old one had; it may have more fields."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [d for key, value in old.items() for d in differences(value, new.get(key), f"{at}.{key}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [d for n, (o, w) in enumerate(zip(old, new, strict=True)) for d in differences(o, w, f"{at}[{n}]")]
    return [] if old == new else [f"{at}: {old!r} became {new!r}"]


def shown_now(old: Any) -> Any:
    """A recorded answer, but for what is shown otherwise on purpose.

    A job that succeeded is in no phase. What the resources of an inventory count as was left empty.
    """
    if isinstance(old, list):
        return [shown_now(each) for each in old]
    if not isinstance(old, dict):
        return old
    shown = {key: shown_now(value) for key, value in old.items()}
    if shown.get("status") == "succeeded" and shown.get("progress"):
        shown["progress"] = {**shown["progress"], "phase": "done"}
    if "coverage" in shown and shown["coverage"] is None:
        del shown["coverage"], shown["summaries"]
    return shown


def test_answers_are_those_of_the_former_version(upgraded: Upgraded) -> None:
    for path, old in upgraded.recorded.answers.items():
        answer = upgraded.api.call("GET", path)
        new: Any = answer.text if isinstance(old, str) else answer.json()
        if path.startswith("/snapshots/store/"):
            # Some restore points were made after the answers were recorded.
            known = {point["snapshot_id"] for point in old["items"]}
            new = {"total": len(known), "items": [point for point in new["items"] if point["snapshot_id"] in known]}
        assert differences(shown_now(old), new, path) == []


def test_files_of_every_restore_point_come_out_as_they_were(upgraded: Upgraded) -> None:
    made_by_cairn = [point["snapshot_id"] for point in upgraded.points("shelf") if point["tags"] == ["documents"]]
    assert len(made_by_cairn) >= 2
    for snapshot in made_by_cairn:
        for path, content in FILES.items():
            assert upgraded.api.content(snapshot, path).content == content
    oldest = upgraded.points("vault")[-1]["snapshot_id"]
    assert upgraded.api.content(oldest, "/2026/summit.raw").content == words(4, 7000)
    versions = upgraded.api.get(f"/connectors/{upgraded.recorded.ids['documents']}/versions?path=/plan.md")["items"]
    assert {version["entry"]["size"] for version in versions} == {len(FILES["/plan.md"])}
    hits = upgraded.api.get(f"/search?q=third&source_id={upgraded.recorded.ids['documents']}")["items"]
    assert {hit["path"] for hit in hits} == {"/letters/third.txt"}


def test_messages_that_nobody_had_read_are_handled(upgraded: Upgraded) -> None:
    api, recorded = upgraded.api, upgraded.recorded

    def inventories() -> set[str]:
        return {str(row["name"]) for row in api.get(api.organization("/inventories"))["items"]}

    def tags() -> set[str]:
        return {str(tag) for store in ("shelf", "vault") for point in upgraded.points(store) for tag in point["tags"]}

    eventually(lambda: "unread-command" in inventories(), deadline_seconds=30)
    eventually(lambda: {"by-hand", "unread-task", "unread-command"} <= tags(), deadline_seconds=60)
    eventually(
        lambda: api.get(f"/scheduling/jobs/{recorded.jobs['unread_task']}")["status"] == "succeeded",
        deadline_seconds=30,
    )
    [by_hand] = [point for point in upgraded.points("shelf") if point["tags"] == ["by-hand"]]
    eventually(lambda: list(api.files(by_hand["snapshot_id"])), deadline_seconds=30)
    assert api.content(by_hand["snapshot_id"], "/plan.md").content == words(3, 2000)


def test_next_backup_adds_only_what_is_new(upgraded: Upgraded) -> None:
    api, ids = upgraded.api, upgraded.recorded.ids
    added = words(6, 3000)
    (PLACE / "documents" / "added.txt").write_bytes(added)
    job = api.wait_for_run(api.start_backup(ids["documents"], ids["shelf"], {"labels": ["new-version"]}))
    assert job["status"] == "succeeded", api.job_log(job["id"])
    summary = api.get(f"/scheduling/jobs/{job['id']}")["backup"]
    assert summary["files_processed"] == 5
    assert summary["files_new"] == 1
    # The file, new directories and the snapshot; all other content is in the store since the former version.
    assert len(added) <= summary["bytes_added"] < len(added) + 6000
    assert api.content(summary["snapshot_id"], "/added.txt").content == added
