"""One backup: exactly one restore point for a job, however many attempts it takes."""

import asyncio
import logging
from dataclasses import dataclass

from chassis import names
from chassis.errors import CairnError, PermanentError
from chassis.telemetry import span
from contracts.assignment import App
from contracts.connector import BackupSummary
from contracts.scheduler import TaskRequested
from contracts.values import JobId, OrganizationId

from connector.domain import UNREADABLE_NAMED, MadeSnapshot, Origin, incomplete, job_tag, tags_of
from connector.engine.errors import Cancelled, EngineFailed
from connector.engine.places import SourceTree, StoreLocation
from connector.engine.port import BackupOptions, BackupResult, Progress
from connector.usecases.apps import await_app
from connector.usecases.equipment import Equipment
from connector.usecases.lease import Lease
from connector.usecases.reporting import Reporter
from connector.usecases.restore_points import created, restore_point_of, summary_of

log = logging.getLogger(__name__)
SHORT_ID = 8


@dataclass(frozen=True)
class Backup:
    """What became of a backup; with a `problem` the restore point is there, but not all that should be in it."""

    summary: BackupSummary
    problem: CairnError | None = None


@dataclass(frozen=True)
class _Job:
    """Everything that the steps of one backup share."""

    equipment: Equipment
    lease: Lease
    reporter: Reporter
    cancel: asyncio.Event
    org: OrganizationId
    request: TaskRequested
    source: App
    target: App
    location: StoreLocation

    @property
    def id(self) -> JobId:
        return self.request.job_id


async def back_up(
    equipment: Equipment, lease: Lease, request: TaskRequested, *, reporter: Reporter, cancel: asyncio.Event
) -> Backup:
    """Make the restore point of a job, or find the one an earlier attempt made, and have it listed.

    Raises `Cancelled` when it was stopped before there was one, `LeaseLost`, or what went wrong.
    """
    job = await _prepare(equipment, lease, request, reporter=reporter, cancel=cancel)
    made = await _find_made(job) if lease.number > 1 else None
    if made is None:
        made = await _make(job)
    problem: CairnError | None = incomplete(made)
    try:
        await _have_it_listed(job, made)
    except PermanentError as error:
        problem = problem or error
    return Backup(made.summary, problem)


async def _prepare(
    equipment: Equipment, lease: Lease, request: TaskRequested, *, reporter: Reporter, cancel: asyncio.Event
) -> _Job:
    reporter.enter("preparing")
    org, task, patience = request.organization_id, request.task, equipment.settings.app_patience_seconds
    if task.target is None:
        raise ValueError("a backup has a target")
    source = await await_app(equipment.store, org, task.origin, patience_seconds=patience)
    target = await await_app(equipment.store, org, task.target, patience_seconds=patience)
    location = equipment.integrations.of(target.protocol).store_location(equipment.configuration(org, target))
    equipment.stores.open_ahead(org, target)
    reporter.log("info", f"Backup of {source.name} to {target.name}, attempt {lease.number}.")
    if cancel.is_set():
        raise Cancelled
    return _Job(equipment, lease, reporter, cancel, org, request, source, target, location)


async def _find_made(job: _Job) -> MadeSnapshot | None:
    """The snapshot that an earlier attempt of this job made, if its worker got that far."""
    engine = job.equipment.engine
    await _unlock(job)
    found = await engine.find_snapshots(job.location, tags=[job_tag(job.id)])
    if not found:
        return None
    snapshot_id = found[0].snapshot_id
    job.reporter.log("info", f"An earlier attempt made the restore point {snapshot_id[:SHORT_ID]}; it is kept.")
    for attempt in reversed(await job.equipment.store.attempts_at(job.org, job.id)):
        if attempt.made is not None and attempt.made.summary.snapshot_id == snapshot_id:
            return attempt.made
    job.reporter.log("warning", "Its worker was lost before it could tell whether all files were readable.")
    async with job.equipment.stores.borrow(job.org, job.target) as store:
        snapshot = await job.equipment.stores.in_thread(lambda: store.snapshot(snapshot_id))
    return MadeSnapshot(summary=summary_of(snapshot))


async def _unlock(job: _Job) -> None:
    """Remove what the lost worker left; where that fails, whoever needs the lock says so."""
    try:
        await job.equipment.engine.unlock_stale(job.location)
    except EngineFailed as error:
        job.reporter.log("warning", error.detail)


async def _make(job: _Job) -> MadeSnapshot:
    configuration = job.equipment.configuration(job.org, job.source)
    integration = job.equipment.integrations.of(job.source.protocol)
    async with integration.open_source(configuration, on_log=job.reporter.log, cancel=job.cancel) as tree:
        job.reporter.enter("transferring")
        result = await _run_engine(job, tree)
    summary = result.summary
    told = f"{summary.files_processed} files with {summary.bytes_processed} bytes, {summary.bytes_added} bytes added"
    job.reporter.log("info", f"Restore point {result.snapshot_id[:SHORT_ID]}: {told} to the store.")
    if job.lease.number > 1:
        await _remove_rivals(job, result.snapshot_id)
    named = tuple(f"{problem.path} ({problem.reason})" for problem in result.problems[:UNREADABLE_NAMED])
    return MadeSnapshot(summary=summary, unreadable=named, unreadable_count=result.problem_count)


async def _run_engine(job: _Job, tree: SourceTree) -> BackupResult:
    options = BackupOptions(
        host=job.source.id, tags=tags_of(_origin(job, tree)), ignores=job.request.task.options.ignores
    )
    with span("engine.backup", attributes={names.JOB: job.id, names.ATTEMPT: job.lease.number}):
        return await job.equipment.engine.backup(
            job.location,
            tree,
            options=options,
            on_progress=job.reporter.progress,
            on_log=job.reporter.log,
            cancel=job.cancel,
        )


def _origin(job: _Job, tree: SourceTree) -> Origin:
    return Origin(
        organization_id=job.org,
        source_id=job.source.id,
        job_id=job.id,
        environment=job.source.environment,
        data_classes=job.source.data_classes,
        location=tree.origin,
        labels=job.request.task.options.labels,
    )


async def _remove_rivals(job: _Job, snapshot_id: str) -> None:
    """An earlier worker that was cut off may have come to its end after all; its restore point was told to nobody."""
    engine = job.equipment.engine
    found = await engine.find_snapshots(job.location, tags=[job_tag(job.id)])
    rivals = [each.snapshot_id for each in found if each.snapshot_id != snapshot_id]
    if rivals:
        await job.lease.renew()
        await engine.forget(job.location, rivals, prune=False, on_log=job.reporter.log, cancel=asyncio.Event())


async def _have_it_listed(job: _Job, made: MadeSnapshot) -> None:
    """Announce the restore point and list what is new in it; then it can be browsed as soon as the job ends."""
    equipment, reporter, summary = job.equipment, job.reporter, made.summary
    reporter.enter("indexing")
    done = Progress(
        fraction=1,
        files_done=summary.files_processed,
        files_total=summary.files_processed,
        bytes_done=summary.bytes_processed,
        bytes_total=summary.bytes_processed,
    )
    reporter.progress(done)
    async with equipment.stores.borrow(job.org, job.target) as store:
        snapshot = await equipment.stores.in_thread(lambda: store.snapshot(summary.snapshot_id))
        point = restore_point_of(snapshot, org=job.org, store_id=job.target.id)
        await job.lease.announce([created(point, job.org)], made=made)
        listed = await equipment.lister.list_restore_point(
            job.lease, store.repository, point, on_listed=lambda _: reporter.progress(done)
        )
    reporter.log("info", f"{listed.entries} entries in {listed.directories} directories were new to the index.")
    patience = equipment.settings.browsable_patience_seconds
    if not await equipment.index.await_browsable(job.org, point.snapshot_id, patience_seconds=patience):
        reporter.log("warning", "The restore point is complete, but the restore index has not taken it in yet.")
