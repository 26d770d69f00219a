"""Restore points."""

from typing import Literal

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

    snapshot_id: str = Field(description="The original; it may be gone by now")
    store_id: str = Field(description="The store that it was copied from")


class SnapshotView(View):
    """A restore point."""

    model_config = example(
        snapshot_id="5f" * 32,
        creation_time="2026-11-23T08:00:00.120Z",
        store_id="0198b1c2-0000-7000-8000-00000000000c",
        source_id="0198b1c2-0000-7000-8000-00000000000b",
        job_id="0198b1c2-0000-7000-8000-0000000000f1",
        hostname="worker-1",
        paths=["/srv/files"],
        tags=["before-upgrade"],
        environment="production",
        data_classes=["documents"],
        files=3,
        bytes=4096,
        browsable=True,
        state="browsable",
        damage=None,
        original=None,
        replica_of=None,
    )

    snapshot_id: str
    creation_time: Stamp = Field(
        description="When the backup began; of one whose snapshot cannot be read, when that was noticed"
    )
    store_id: str
    source_id: str | None
    job_id: str | None
    hostname: str
    paths: list[str]
    tags: list[str]
    environment: str
    data_classes: list[str]
    files: int | None
    bytes: int | None
    browsable: bool = Field(description="Whether its files can be listed")
    state: Literal["browsable", "indexing", "damaged", "unreadable"] = Field(
        description="`indexing` ends by itself. `damaged` is what the store has lost something of, `unreadable` what it"
        " has and does not give out, both as long as `damage` says so: a refresh looks again"
    )
    damage: DamageView | None = Field(description="Why it cannot be browsed; null where it can be, or can be soon")
    original: str | None = Field(
        description="Of a copy: the restore point that it was made of; of a copy of a copy, the first one"
    )
    replica_of: ReplicaOfView | None = Field(description="Of what a sync copied: what, and from which store")


def snapshot_view(point: IndexedRestorePoint) -> SnapshotView:
    """A restore point."""
    known = point.totals
    replica_of = (
        ReplicaOfView(snapshot_id=point.original, store_id=point.origin_store_id)
        if point.original and point.origin_store_id
        else None
    )
    return SnapshotView(
        snapshot_id=point.snapshot_id,
        creation_time=point.time,
        store_id=point.store_id,
        source_id=point.source_id,
        job_id=point.job_id,
        hostname=point.hostname,
        paths=list(point.paths),
        tags=list(point.tags),
        environment=point.environment,
        data_classes=list(point.data_classes),
        # What the index counted, where it has: not every snapshot has figures of the engine.
        files=known.files if known else point.files,
        bytes=known.bytes if known else point.bytes,
        browsable=point.browsable,
        state=point.state,
        damage=DamageView(code=point.damage.code, detail=point.damage.detail) if point.damage else None,
        original=point.original,
        replica_of=replica_of,
    )
