"""Restore points, made from the snapshots of a store."""

from datetime import datetime

from contracts.errors import CairnError
from contracts.messages.connector.stores import RestorePointCreated, RestorePointRemoved
from contracts.messages.restore_index import Damage, RestorePoint, RestorePointDamaged
from contracts.task_types.backup import BackupResult
from contracts.values import AppId, JobId, OrganizationId, SnapshotId, TreeId
from restic_reader import Snapshot, Summary
from restic_reader.errors import ReaderError

from connector.domain.moments import moment_at
from connector.domain.origins import Origin, origin_of
from connector.domain.texts import keepable
from connector.engine.port import FoundSnapshot


def restore_point_of(snapshot: Snapshot, *, org: OrganizationId, store_id: AppId) -> RestorePoint:
    """The restore point that a snapshot is."""
    origin = origin_of(snapshot.tags or (), org)
    paths = snapshot.paths or ()
    if len(paths) != 1:  # Cairn backs up one root at a time: the tags were put on by hand, or copied
        origin = Origin(labels=origin.labels)
    summary = snapshot.summary
    return RestorePoint(
        snapshot_id=SnapshotId(snapshot.id),
        store_id=store_id,
        tree_id=TreeId(snapshot.tree),
        time=moment_at(snapshot.time_ns),
        source_id=AppId(origin.source_id) if origin.source_id else None,
        job_id=JobId(origin.job_id) if origin.job_id else None,
        hostname=keepable(snapshot.hostname),
        paths=tuple(map(keepable, _places(origin) if origin.source_id else paths)),
        tags=tuple(map(keepable, origin.labels)),
        environment=origin.environment,
        data_classes=origin.data_classes,
        source_name=keepable(origin.name),
        source_class=keepable(origin.resource_class),
        source_protocol=keepable(origin.protocol),
        source_address=keepable(origin.address),
        files=summary.total_files_processed if summary else None,
        bytes=summary.total_bytes_processed if summary else None,
        original=SnapshotId(snapshot.original) if snapshot.original else None,
    )


def _places(origin: Origin) -> tuple[str, ...]:
    """Where the files were on the source."""
    # Not the paths of the snapshot: a worker may read a source through a mount or a copy of its own.
    return (origin.location,) if origin.location else ()


def created(point: RestorePoint, org: OrganizationId, *, seen_at: datetime) -> RestorePointCreated:
    """The news of a restore point that the store had when it was looked into, not before `seen_at`."""
    return RestorePointCreated(organization_id=org, store_id=point.store_id, restore_point=point, seen_at=seen_at)


def damaged(
    error: CairnError | ReaderError,
    snapshot_id: str,
    org: OrganizationId,
    *,
    store_id: AppId,
    point: RestorePoint | None = None,
    seen_at: datetime,
) -> RestorePointDamaged:
    """The news that what is in a restore point cannot be listed; without `point` not even what it is.

    `seen_at` as with `created`.
    """
    damage = Damage(code=error.code, detail=error.detail)
    return RestorePointDamaged(
        organization_id=org,
        store_id=store_id,
        snapshot_id=SnapshotId(snapshot_id),
        restore_point=point,
        damage=damage,
        seen_at=seen_at,
    )


def removed(snapshot_id: str, org: OrganizationId, *, store_id: AppId) -> RestorePointRemoved:
    """The news that a restore point is gone from its store."""
    return RestorePointRemoved(organization_id=org, store_id=store_id, snapshot_id=snapshot_id)


def snapshot_of(found: FoundSnapshot, summary: BackupResult) -> Snapshot:
    """A snapshot as the engine tells of it, with the figures of its backup."""
    return Snapshot(
        time=found.time.isoformat(),
        tree=found.tree_id,
        id=found.snapshot_id,
        paths=found.paths,
        hostname=found.host,
        tags=found.tags,
        original=found.original or None,
        summary=Summary(total_files_processed=summary.files_processed, total_bytes_processed=summary.bytes_processed),
    )
