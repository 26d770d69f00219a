"""One backup: exactly one restore point for a job, however many attempts it takes."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from chassis.ids import utc_now
from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.errors import CairnError, TemporaryError
from contracts.messages.assignment import App
from contracts.task_types.backup import BackupResult
from integrations.sdk.errors import Cancelled, WorkFailed
from integrations.sdk.locations import SourceTree, StoreLocation, UnreadablePath

from connector.domain.attempts import Attempt, MadeSnapshot, announced
from connector.domain.origins import Origin, tags_of
from connector.domain.unreadable import UNREADABLE_NAMED, incomplete
from connector.engine.errors import SnapshotMissing
from connector.engine.port import BackupOptions, BackupOutcome
from connector.jobs.backup_listing import made_restore_point, problem_of_listing
from connector.jobs.definition import Job, JobOutcome, TaskDefinition
from connector.jobs.listing_comparison import compare_with_listing, is_compared
from connector.jobs.store_outages import require_own_store
from connector.jobs.store_wait import StoreWait, past_locks, remove_stale_locks
from connector.jobs.vanished_files import name_vanished
from connector.store_state.orphan_snapshots import clean_up_after_loss, remove_orphan_snapshots, store_location
from connector.stores.restore_points import created

log = logging.getLogger(__name__)
SHORT_ID = 8
FAILED_TOLD = 20
GIVEN_UP_SECONDS = 20.0
"""How long a job that is given up looks for what it left in a store that may be away."""


@dataclass(frozen=True, kw_only=True)
class _Backup(Job):
    """Everything that the steps of one backup share."""

    source: App
    target: App
    location: StoreLocation


async def back_up(base: Job) -> JobOutcome:
    """Make the restore point of a job, or take the one that an earlier attempt announced, and list it.

    Raises `Cancelled` when it was stopped before one was announced; nothing is left in the store then. Raises
    `LeaseLost`, `TemporaryError` when it should be tried again, or what went wrong before there was a restore point.
    """
    job = await _prepare(base)
    try:
        made = await _announced_earlier(job) or await _make(job)
    except Cancelled:
        await _remove_leftovers(job)
        raise
    except TemporaryError as error:
        if job.is_given_up_after(error):
            # No attempt follows that would look for what an engine made before it was killed.
            await _remove_at_once(job)
        raise
    seen_at = utc_now()
    point = await made_restore_point(job, job.target, made)
    # With the warnings of what it lacks: an attempt that takes it over does not know them, and none may be told twice.
    await job.lease.announce([created(point, job.org, seen_at=seen_at), *job.reporter.measured()], made=made)
    problem = await problem_of_listing(job, job.target, point, made, seen_at=seen_at)
    await _remove_leftovers(job)
    return JobOutcome(made.summary, incomplete(made) or problem)


async def _prepare(job: Job) -> _Backup:
    job.reporter.enter("preparing")
    task = job.request.task
    source, target = await asyncio.gather(job.app(task.origin), job.app(task.target))
    location = store_location(job.context, job.org, target)
    await require_own_store(job, target)
    # The restore point is listed from the open store: its key is derived and its index loaded while the engine works.
    job.context.stores.open_ahead(job.org, target)
    return _Backup(**vars(job), source=source, target=target, location=location)


async def _announced_earlier(job: _Backup) -> MadeSnapshot | None:
    """What an earlier attempt announced, if one did. Raises `Cancelled`."""
    # A snapshot that was made and not announced is not taken: which files could not be read is lost with its attempt,
    # and making another one takes little more than reading what changed since.
    made = None
    if job.lease.number > 1:
        await remove_stale_locks(job, job.location)
        made = announced(await job.context.store.attempts_at(job.org, job.id))
    if made is not None:
        short = made.summary.snapshot_id[:SHORT_ID]
        job.reporter.log("info", f"An earlier attempt made the restore point {short}; it is kept.")
    elif job.cancel.is_set():
        raise Cancelled
    return made


async def _make(job: _Backup) -> MadeSnapshot:
    configuration = job.context.configuration(job.org, job.source)
    integration = job.context.integrations.file_source(job.source.protocol)
    async with integration.open_source(configuration, on_log=job.reporter.log, cancel=job.cancel) as tree:
        job.reporter.enter("transferring")
        result = await _run_engine(job, tree)
        try:
            result = await _compared(job, tree, result)
            problems = await _explained(job, tree, result)
        except Cancelled:
            # Until here the snapshot was not announced, and a canceled job leaves nothing in the store.
            await _remove_orphans(job)
            raise
        await _keep_comparison(job, tree, result)
    summary = result.summary
    job.reporter.log("info", f"The restore point {result.snapshot_id[:SHORT_ID]} is in the store.")
    job.reporter.measures.fail([problem.path for problem in result.problems[-FAILED_TOLD:]])
    named = tuple(problem.in_words for problem in problems)
    job.reporter.leave_out(named, result.problem_count)
    return MadeSnapshot(summary=summary, unreadable=named[:UNREADABLE_NAMED], unreadable_count=result.problem_count)


async def _run_engine(job: _Backup, tree: SourceTree) -> BackupOutcome:
    wanted = job.request.task.options
    options = BackupOptions(
        host=job.source.id,
        tags=tags_of(_origin(job, tree)),
        ignores=wanted.ignores,
        one_file_system=wanted.one_file_system,
        allow_empty=wanted.allow_empty,
        concurrency=(wanted.exec.concurrency if wanted.exec else None) or 0,
        cores=(wanted.exec.cpu if wanted.exec else None) or 0,
        compression=await job.context.store.repositories.compression_of(job.org, job.target.id),
        more_memory=job.lease.number == 1,  # Attempts before may have ended for want of it.
    )
    if tree.comparison is None:
        return await _back_up(job, tree, options)
    parent = await asyncio.to_thread(tree.comparison.parent_in, job.target.id)
    if parent:
        try:
            return await _back_up(job, tree, replace(options, parent=parent))
        except SnapshotMissing:
            job.reporter.log("info", f"The restore point {parent[:SHORT_ID]} is no more.")
    job.reporter.log("info", "Every file is read: size and time alone would not tell each change.")
    return await _back_up(job, tree, replace(options, reread=True))


async def _back_up(job: _Backup, tree: SourceTree, options: BackupOptions) -> BackupOutcome:
    with span("engine.backup", attributes={semconv.JOB: job.id, semconv.ATTEMPT: job.lease.number}):
        return await past_locks(job, job.location, partial(_engine_backup, job, tree, options))


async def _engine_backup(job: _Backup, tree: SourceTree, options: BackupOptions) -> BackupOutcome:
    async with StoreWait(job, job.target, phase="transferring").reporting() as waiting:
        return await job.context.engine.backup(
            job.location,
            tree,
            options=options,
            on_progress=waiting.progress,
            on_log=job.reporter.log,
            cancel=job.cancel,
        )


async def _compared(job: _Backup, tree: SourceTree, result: BackupOutcome) -> BackupOutcome:
    context, on_log, cancel = job.context, job.reporter.log, job.cancel
    if tree.comparison is None:
        return await name_vanished(
            context, job.org, job.target, directory=tree.read_path, result=result, on_log=on_log, cancel=cancel
        )
    return await compare_with_listing(
        context, job.org, job.target, comparison=tree.comparison, result=result, on_log=on_log, cancel=cancel
    )


async def _explained(job: _Backup, tree: SourceTree, result: BackupOutcome) -> Sequence[UnreadablePath]:
    """The problems, with what the source says about them, if it answers."""
    if tree.comparison is None:
        return result.problems
    try:
        explained = await tree.comparison.explain(result.problems)
    except Cancelled:
        raise
    except CairnError as error:  # The restore point is made: that the source does not answer now undoes nothing.
        job.reporter.log("warning", f"The source was asked why, and did not answer: {error.detail}")
        return result.problems
    for before, problem in zip(result.problems, explained, strict=True):
        if problem != before:
            job.reporter.log("error", problem.as_line)
    return explained


async def _keep_comparison(job: _Backup, tree: SourceTree, result: BackupOutcome) -> None:
    if tree.comparison is not None and is_compared(result):
        await asyncio.to_thread(tree.comparison.keep, job.target.id, result.snapshot_id)


def _origin(job: _Backup, tree: SourceTree) -> Origin:
    return Origin(
        organization_id=job.org,
        source_id=job.source.id,
        job_id=job.id,
        environment=job.source.environment,
        data_classes=job.source.data_classes,
        name=job.source.name,
        resource_class=job.source.resource.class_,
        protocol=job.source.protocol,
        address=next(iter(job.source.endpoints), ""),
        location=tree.origin,
        labels=job.request.task.options.labels,
    )


async def _remove_leftovers(job: _Backup) -> None:
    """Remove what earlier attempts left in the store."""
    # A worker that was cut off from the database may have finished its snapshot all the same.
    if job.lease.number > 1:
        await _remove_orphans(job)


async def _remove_orphans(job: _Backup) -> None:
    """Remove the snapshots of this job that were not announced."""
    # Removing may take long, and with a lease that is about to end another attempt would begin meanwhile.
    await job.lease.renew()
    try:
        await remove_orphan_snapshots(job.context, job.lease.work, job.location, on_log=job.reporter.log)
    except WorkFailed as error:
        # The outcome of the job is decided by now. A store that forbids removal is no reason to fail it.
        job.reporter.log(
            "warning", f"What was left in the store without being announced is still there. {error.detail}"
        )


async def _remove_at_once(job: _Backup) -> None:
    """The same for a short time only: whoever canceled waits for it."""
    with suppress(TimeoutError):
        async with asyncio.timeout(GIVEN_UP_SECONDS):
            await _remove_orphans(job)


def _left_by(attempts: Sequence[Attempt]) -> BackupResult | None:
    """The restore point that was announced of a job which failed all the same."""
    made = announced(attempts)
    return made.summary if made else None


TASK = TaskDefinition(type="backup", run=back_up, left_by=_left_by, clean_up=clean_up_after_loss)
