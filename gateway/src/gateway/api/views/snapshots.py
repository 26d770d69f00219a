"""Restore points."""

from pydantic import Field

from gateway.api.views.base import Stamp, View, example
from gateway.usecases.owners import KnownRestorePoint


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
    )

    snapshot_id: str
    creation_time: Stamp
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


def snapshot_view(point: KnownRestorePoint) -> SnapshotView:
    """A restore point."""
    known = point.totals
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
        files=known.files if known else point.files,
        bytes=known.bytes if known else point.bytes,
        browsable=point.browsable,
    )
