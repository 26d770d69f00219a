"""Restore points to be deleted, and what is left of their store afterwards."""

import json
import os
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contracts.messages.assignment import App
from contracts.messages.connector.task_events import TaskLogged, TaskSucceeded
from contracts.messages.protection import SetLegalHold
from contracts.messages.restore_index import RestorePointBrowsable
from contracts.messages.scheduler import TaskRequested
from contracts.queries.base import Listing
from contracts.queries.restore_index import IndexedRestorePoint
from contracts.values import SnapshotId

from tests.integration.connector.worker_fixture import PASSPHRASE, WorkerFixture, write_tree
from tests.support import builders as make
from tests.support.waiting import eventually_async


def by_hand(ground: WorkerFixture, store: App, *arguments: str, check: bool = True) -> str:
    """What restic says of a store on disk."""
    command = [str(ground.restic), "-q", "-r", str(place_of(store)), "--no-cache", *arguments]
    environment = {**os.environ, "RESTIC_PASSWORD": PASSPHRASE}
    return subprocess.run(command, env=environment, check=check, capture_output=True, text=True).stdout


def place_of(store: App) -> Path:
    return Path(store.fields["root"].value or "")


def left_in(ground: WorkerFixture, store: App) -> set[str]:
    """The snapshots that a store has, as restic lists them."""
    return {each["id"] for each in json.loads(by_hand(ground, store, "snapshots", "--no-lock", "--json"))}


def require_sound(ground: WorkerFixture, store: App) -> None:
    """Every byte is as it should be, and nobody has a lock."""
    assert by_hand(ground, store, "list", "locks", "--no-lock").split() == []
    by_hand(ground, store, "check", "--read-data")


async def points_in(ground: WorkerFixture, source: App, store: App, count: int) -> list[str]:
    """Restore points of a source that changes, oldest first."""
    made = []
    for number in range(count):
        write_tree(place_of(source), {f"file-{number}": os.urandom(200_000), "always": b"same"})
        ended = await ground.ending(await ground.request(source, store), TaskSucceeded)
        made.append(str(ended.data.result.snapshot_id))
        (place_of(source) / f"file-{number}").unlink()
    for each in made:
        await ground.asker.ear.message(RestorePointBrowsable, lambda data, each=each: data.snapshot_id == each)
    return made


async def hold(ground: WorkerFixture, store: App, snapshot_ids: Sequence[str]) -> None:
    """Set a legal hold."""
    ids = tuple(map(SnapshotId, snapshot_ids))
    command = SetLegalHold(organization_id=make.ORG, store_id=store.id, snapshot_ids=ids, reason="a case", by="me")
    assert (await ground.asker.ask(command)).accepted


async def listed(ground: WorkerFixture, store: App) -> set[str]:
    """The restore points that the index lists of a store."""
    async with ground.index as index:
        answer = await index.get("/internal/restore-points", params={"store_id": store.id})
    return {each.snapshot_id for each in Listing[IndexedRestorePoint].model_validate(answer.json()).items}


async def are_listed(ground: WorkerFixture, store: App, wanted: set[str]) -> None:
    """Wait until the index lists these."""

    async def is_so() -> bool:
        return await listed(ground, store) == wanted

    await eventually_async(is_so, 30)


def log_of(ground: WorkerFixture, request: TaskRequested) -> list[str]:
    return [line.text for each in ground.published(request, TaskLogged) for line in each.lines]


def result_of(ended: Any) -> Any:
    return ended.data.result


def now() -> datetime:
    return datetime.now(UTC)
