"""Restore points."""

from collections.abc import Sequence
from typing import Any, Literal

from contracts.queries.restore_index import IndexedRestorePoint
from pydantic import Field

from gateway.http.answers import Stamp, View
from gateway.http.examples import example


class DamageView(View):
    """What is wrong with a restore point."""

    model_config = example(code="repository_damaged", detail=f"The pack {'7c' * 32} is damaged: the file is missing.")

    code: str
    detail: str = Field(description="What is missing or cannot be read, in words")


class LeftOutView(View):
    """A restore point that an answer about many could not take in."""

    model_config = example(
        snapshot_id="6b" * 32,
        store_id="0198b1c2-0000-7000-8000-00000000000c",
        creation_time="2026-11-23T08:00:00.000Z",
        code="restore_point_damaged",
        detail=f"This restore point is damaged. The pack {'7c' * 32} is damaged: the file is missing.",
    )

    snapshot_id: str
    store_id: str
    creation_time: Stamp
    code: str
    detail: str


class ReplicaOfView(View):
    """Where a copy comes from."""

    model_config = example(snapshot_id="6b" * 32, store_id="0198b1c2-0000-7000-8000-00000000000d")

    snapshot_id: str = Field(description="What was copied, by its id in that store; it may be gone by now")
    store_id: str = Field(description="The store that it was copied from")


class HoldView(View):
    """Why a restore point must not be deleted."""

    model_config = example(
        reason="Case 4711",
        until="2027-11-28T00:00:00.000Z",
        set_by="0198b1c2-0000-7000-8000-000000000002",
        set_at="2026-11-28T08:00:00.000Z",
    )

    reason: str
    until: Stamp | None = Field(description="When it ends by itself; null: when it is lifted")
    set_by: str = Field(description="The account that set it")
    set_at: Stamp


_FACTS: dict[str, Any] = {
    "snapshot_id": "5f" * 32,
    "creation_time": "2026-11-23T08:00:00.120Z",
    "source_id": "0198b1c2-0000-7000-8000-00000000000b",
    "job_id": "0198b1c2-0000-7000-8000-0000000000f1",
    "hostname": "worker-1",
    "paths": ["/srv/files"],
    "tags": ["before-upgrade"],
    "environment": "production",
    "data_classes": ["documents"],
    "name": "nas",
    "category": "file-storage",
    "dataset": "0198b1c2-0000-7000-8000-00000000000b",
    "origin": "nas.example",
    "type": "fs",
    "root": "/srv/files",
    "files": 3,
    "bytes": 4096,
    "items": 4,
    "size": 4096,
    "original": None,
}
_STANDING: dict[str, Any] = {
    "store_id": "0198b1c2-0000-7000-8000-00000000000c",
    "browsable": True,
    "state": "browsable",
    "damage": None,
    "legal_hold": False,
    "hold": None,
    "being_deleted": False,
    "replica_of": None,
}


class _FactsView(View):
    """What a restore point is, whatever store has it."""

    snapshot_id: str
    creation_time: Stamp = Field(
        description="When the backup began; of one whose snapshot cannot be read, when that was noticed"
    )
    source_id: str | None
    job_id: str | None
    hostname: str
    paths: list[str]
    tags: list[str]
    environment: str
    data_classes: list[str]
    name: str = Field(description="Name of the source when it was made; empty where nobody knows")
    category: str = Field(description="Class of the source's resource")
    dataset: str = Field(description="Id of the source; empty for what was made without Cairn")
    origin: str = Field(description="Address of the source; the host, of what was made without Cairn")
    type: str = Field(description="Protocol of the source")
    root: str = Field(description="Where the files were on the source")
    files: int | None
    bytes: int | None
    items: int | None = Field(description="Files and, as soon as they are counted, directories")
    size: int | None = Field(description="The same as `bytes`")
    original: str | None = Field(
        description="Of a copy: the restore point that it was made of; of a copy of a copy, the first one"
    )


class _StandingView(View):
    """How a restore point stands in a store."""

    store_id: str
    browsable: bool = Field(description="Whether its files can be listed")
    state: Literal["browsable", "indexing", "damaged", "unreadable"] = Field(
        description="`indexing` ends by itself. `damaged` is what the store has lost something of, `unreadable` what it"
        " has and does not give out, both as long as `damage` says so: a refresh looks again"
    )
    damage: DamageView | None = Field(description="Why it cannot be browsed; null where it can be, or can be soon")
    legal_hold: bool = Field(description="Whether it must not be deleted")
    hold: HoldView | None
    being_deleted: bool = Field(description="Whether a run that deletes it was started")
    replica_of: ReplicaOfView | None = Field(description="Of what a sync copied: what, and from which store")


class SnapshotView(_FactsView, _StandingView):
    """A restore point in a store."""

    model_config = example(**_FACTS, **_STANDING)


class CopyView(_StandingView):
    """A restore point in one of its stores."""

    model_config = example(**_STANDING)


class CopiesView(_FactsView):
    """A restore point and the stores that have it."""

    model_config = example(**_FACTS, stores=[_STANDING])

    stores: list[CopyView] = Field(description="The likeliest to be usable first")


def snapshot_view(point: IndexedRestorePoint) -> SnapshotView:
    """A restore point in a store."""
    return SnapshotView(**_facts(point), **_standing(point))


def copies_view(copies: Sequence[IndexedRestorePoint]) -> CopiesView:
    """A restore point and the stores that have it; at least one."""
    return CopiesView(**_facts(copies[0]), stores=[CopyView(**_standing(each)) for each in copies])


def _facts(point: IndexedRestorePoint) -> dict[str, Any]:
    # What the index counted, where it has: not every snapshot has figures of the engine.
    known, facts = point.totals, point.facts
    size = known.bytes if known else point.bytes
    return {
        "snapshot_id": point.snapshot_id,
        "creation_time": point.time,
        "source_id": point.source_id,
        "job_id": point.job_id,
        "hostname": point.hostname,
        "paths": list(point.paths),
        "tags": list(point.tags),
        "environment": point.environment,
        "data_classes": list(point.data_classes),
        **facts.model_dump(include={"name", "category", "dataset", "origin", "type", "root"}),
        "files": known.files if known else point.files,
        "bytes": size,
        "items": known.files + known.directories if known else point.files,
        "size": size,
        "original": point.original,
    }


def _standing(point: IndexedRestorePoint) -> dict[str, Any]:
    hold = point.legal_hold
    return {
        "store_id": point.store_id,
        "browsable": point.browsable,
        "state": point.state,
        "damage": DamageView(code=point.damage.code, detail=point.damage.detail) if point.damage else None,
        "legal_hold": hold is not None,
        "hold": HoldView(reason=hold.reason, until=hold.until, set_by=hold.by, set_at=hold.at) if hold else None,
        "being_deleted": point.being_deleted,
        "replica_of": _replica_of(point),
    }


def _replica_of(point: IndexedRestorePoint) -> ReplicaOfView | None:
    # A copy of a copy has the first one as its original, which is in another store than the one it was copied from.
    copied = point.origin_snapshot_id or point.original
    if not copied or not point.origin_store_id:
        return None
    return ReplicaOfView(snapshot_id=copied, store_id=point.origin_store_id)
