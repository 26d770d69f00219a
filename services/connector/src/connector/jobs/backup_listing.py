"""What follows once a backup has made its snapshot: the restore point that it is, listed until it can be browsed."""

import logging
from datetime import datetime

from chassis.http.problems import to_error, unexpected
from chassis.persistence.mongo import PyMongoError
from contracts.errors import CairnError, TemporaryError
from contracts.messages.assignment import App
from contracts.messages.restore_index import RestorePoint
from contracts.task_types.backup import BackupResult
from contracts.wording import counted
from integrations.sdk.errors import WorkFailed
from restic_reader import Snapshot

from connector.domain.attempts import MadeSnapshot, is_worth_another_try
from connector.domain.origins import job_tag
from connector.engine.errors import SnapshotMissing
from connector.engine.port import Progress
from connector.failures import reader_errors_mapped
from connector.jobs.definition import Job
from connector.queue.lease import LeaseLost
from connector.store_state.orphan_snapshots import store_location
from connector.stores.restore_points import restore_point_of, snapshot_of

log = logging.getLogger(__name__)


async def made_restore_point(job: Job, store: App, made: MadeSnapshot) -> RestorePoint:
    """The restore point that the snapshot is."""
    stores, snapshot_id = job.context.stores, made.summary.snapshot_id
    try:
        async with stores.borrow(job.org, store) as opened:
            snapshot = await stores.in_thread(lambda: opened.snapshot(snapshot_id), of=store.id)
    except Exception as error:
        # The engine made it, so it is there: the engine is asked about a store that our reader cannot open.
        log.warning("store not opened for reading", extra={"job": job.id}, exc_info=error)
        snapshot = await _snapshot_from_engine(job, store, made, error=error)
    return restore_point_of(snapshot, org=job.org, store_id=store.id)


async def _snapshot_from_engine(job: Job, store: App, made: MadeSnapshot, *, error: Exception) -> Snapshot:
    location = store_location(job.context, job.org, store)
    try:
        found = await job.context.engine.find_snapshots(location, tags=[job_tag(job.id)])
    except WorkFailed:
        raise error from None
    for each in found:
        if each.snapshot_id == made.summary.snapshot_id:
            return snapshot_of(each, made.summary)
    raise SnapshotMissing(made.summary.snapshot_id)


async def problem_of_listing(
    job: Job, store: App, point: RestorePoint, made: MadeSnapshot, *, seen_at: datetime
) -> CairnError | None:
    """List the restore point; returns why that failed for good, since the restore point stays all the same.

    `seen_at`: not after the look into the store.
    """
    try:
        with reader_errors_mapped():
            await _list(job, store, point, made.summary, seen_at=seen_at)
    except (LeaseLost, PyMongoError):
        raise
    except TemporaryError as error:
        if is_worth_another_try(error, job.lease.number):
            raise
        return error
    except CairnError as error:
        return error
    except Exception:
        log.exception("listing failed unexpectedly", extra={"job": job.id})
        return to_error(unexpected())
    return None


async def _list(job: Job, store: App, point: RestorePoint, summary: BackupResult, *, seen_at: datetime) -> None:
    """List what is new in the restore point, and wait until it can be browsed."""
    # Clients need not wait twice: what a job has made can be browsed as soon as it succeeds (decision 0008).
    context, reporter = job.context, job.reporter
    reporter.enter("indexing")
    done = Progress(
        fraction=1,
        files_done=summary.files_processed,
        files_total=summary.files_processed,
        bytes_done=summary.bytes_processed,
        bytes_total=summary.bytes_processed,
    )
    reporter.progress(done)
    async with context.stores.borrow(job.org, store) as opened:
        listed = await context.lister.list_restore_point(
            job.lease, opened.repository, point, seen_at=seen_at, on_listed=lambda _: reporter.progress(done)
        )
    entries = counted(listed.entries, "entry", "entries")
    directories = counted(listed.directories, "directory", "directories")
    reporter.log("info", f"New to the index: {entries} in {directories}.")
    patience = context.settings.browsable_patience_seconds
    is_browsable = await context.index.await_browsable(job.org, store.id, point.snapshot_id, patience_seconds=patience)
    if not is_browsable:
        reporter.log(
            "warning", "The restore point is complete and is still being indexed; until then it cannot be browsed."
        )
