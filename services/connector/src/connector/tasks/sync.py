"""Copying restore points from one store into another: those that are chosen there and missing here."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from time import monotonic

from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.errors import CairnError, PermanentError, TemporaryError
from contracts.messages.restore_index import RestorePoint
from contracts.task_types.sync import SyncResult
from contracts.wording import counted
from integrations.sdk.errors import Cancelled, named

from connector.domain.replicas import missing, replicas
from connector.engine.errors import CopyFailed, StoreLocked, StoreUnreachable
from connector.engine.port import CopyOutcome, Progress
from connector.jobs.definition import Job, JobOutcome, TaskDefinition
from connector.jobs.replica_listing import announce_replicas
from connector.jobs.store_line import copying_alone
from connector.jobs.store_outages import require_own_store
from connector.jobs.store_wait import StoreWait, past_locks, remove_stale_locks
from connector.jobs.sync_choice import chosen_for_sync
from connector.store_state.surplus_replicas import clean_up_after_lost_sync, remove_surplus
from connector.store_state.two_stores import Party, party_of

SHORT_ID = 8


def _were(count: int) -> str:
    return f"{counted(count, 'restore point')} {'was' if count == 1 else 'were'}"


class CopiesMissing(PermanentError):
    """The engine came to its end, and some restore points are not in the target."""

    def __init__(self, points: Sequence[RestorePoint]) -> None:
        named = ", ".join(point.snapshot_id[:SHORT_ID] for point in points[:5])
        super().__init__("copies_missing", f"{_were(len(points))} not copied, {named} among them.")


class PointsUnreadable(PermanentError):
    """Everything else is in the target, and some restore points of the origin could not even be looked at."""

    def __init__(self, store: str, snapshot_ids: Sequence[str]) -> None:
        those = ", ".join(each[:SHORT_ID] for each in snapshot_ids[:5])
        detail = f"{counted(len(snapshot_ids), 'restore point')} cannot be read, so not copied, {those} among them."
        super().__init__("points_unreadable", f"The origin{named(store)}: {detail}")


@dataclass(frozen=True, kw_only=True)
class _Sync(Job):
    """Everything that the steps of one sync share."""

    origin: Party
    target: Party


async def sync(base: Job) -> JobOutcome:
    """Copy what is chosen and missing, and announce it in the target.

    What of the origin cannot be read fails the job after the rest was copied. A second attempt goes on: what was copied
    before is there. Raises `Cancelled`, with whole copies alone left in the
    target, `LeaseLost`, `TemporaryError`, or what is wrong with one of the stores, which its words name.
    """
    began, job = monotonic(), await _prepare(base)
    origin, target = job.origin, job.target
    # Two at once would both find the same restore points missing, and copy each of them twice.
    async with copying_alone(job, origin.app, origin.location, target.location):
        job.reporter.enter("preparing")
        return await _bring_up_to_date(job, began)


async def _bring_up_to_date(job: _Sync, began: float) -> JobOutcome:
    before = await job.target.points()
    meant = await chosen_for_sync(job, job.origin, before)
    chosen = meant.points
    lacking = missing(chosen, before)
    outcome = await _copy(job, lacking) if lacking else CopyOutcome()
    after = await _settled(job, chosen, lacking, await job.target.points() if lacking else before)
    await _announce(job, lacking if job.lease.number == 1 else chosen, after)
    await _remove_late_copies(job, chosen, after)
    result = SyncResult(
        points_chosen=len(chosen),
        points_copied=len(lacking) - len(missing(lacking, after)),
        points_present=len(chosen) - len(missing(chosen, before)),
        unreadable_count=len(meant.unreadable),
        bytes_copied=outcome.bytes_copied,
        duration_seconds=round(monotonic() - began, 3),
    )
    lost = meant.unreadable
    return JobOutcome(result, PointsUnreadable(job.origin.app.name, lost) if lost else None)


async def _prepare(job: Job) -> _Sync:
    job.reporter.enter("preparing")
    task = job.request.task
    origin = party_of(job.context, job.org, await job.app(task.origin), side="origin", on_log=job.reporter.log)
    target = party_of(job.context, job.org, await job.app(task.target), side="target", on_log=job.reporter.log)
    for party in (origin, target):
        with party.named():
            await require_own_store(job, party.app)
            job.context.stores.open_ahead(job.org, party.app)
    job.reporter.log("info", f"Sync of {origin.app.name} to {target.app.name}, attempt {job.lease.number}.")
    if job.lease.number > 1:
        for party in (origin, target):
            await remove_stale_locks(job, party.location, in_words=party.in_words)
    if job.cancel.is_set():
        raise Cancelled
    return _Sync(**vars(job), origin=origin, target=target)


async def _copy(job: _Sync, points: Sequence[RestorePoint]) -> CopyOutcome:
    job.reporter.log("info", f"{len(points)} of them are missing there.")
    job.reporter.enter("transferring")
    ids = [point.snapshot_id for point in points]
    try:
        with span("engine.copy", attributes={semconv.JOB: job.id, semconv.ATTEMPT: job.lease.number}):
            return await past_locks(job, job.target.location, _run_engine(job, ids))
    except CopyFailed as failed:
        raise _named(job, failed) from None


def _run_engine(job: _Sync, ids: Sequence[str]) -> Callable[[], Awaitable[CopyOutcome]]:
    origin, target = job.origin, job.target

    async def run() -> CopyOutcome:
        level = await job.context.store.repositories.compression_of(job.org, target.app.id)
        waits = [StoreWait(job, party.app, phase="transferring") for party in (origin, target)]

        def on_progress(progress: Progress) -> None:
            for wait in waits:
                wait.progress(progress)

        async with waits[0].reporting(), waits[1].reporting():
            return await job.context.engine.copy(
                origin.location,
                target.location,
                ids,
                compression=level,
                on_progress=on_progress,
                on_log=job.reporter.log,
                cancel=job.cancel,
            )

    async def run_or_wait() -> CopyOutcome:
        try:
            return await run()
        except CopyFailed as failed:
            if not isinstance(failed.error, StoreLocked):
                raise
            if failed.side == "origin":
                await job.context.engine.unlock_stale(origin.location)
            raise failed.error from None

    return run_or_wait


def _named(job: _Sync, failed: CopyFailed) -> CairnError:
    party = job.origin if failed.side == "origin" else job.target
    if isinstance(failed.error, StoreUnreachable):
        # Copies run for days, and networks fail: another attempt goes on.
        return TemporaryError(failed.code, party.in_words(failed.error))
    return party.renamed(failed.error)


async def _settled(
    job: _Sync, chosen: Sequence[RestorePoint], copied: Sequence[RestorePoint], present: Sequence[RestorePoint]
) -> list[RestorePoint]:
    """What the target has by now, each restore point once. Raises `CopiesMissing`."""
    found = list(present)
    if job.lease.number > 1 or copied:
        # The engine of a worker that was stopped for a while may have gone on beside ours, or another store's sync.
        await job.lease.renew()
        found = await remove_surplus(job.context, job.lease.work, job.target, chosen, found, cancel=job.cancel)
    if lost := missing(copied, found):
        still_there = {point.snapshot_id for point in await job.origin.points()}
        if kept := [point for point in lost if point.snapshot_id in still_there]:
            raise CopiesMissing(kept)
        job.reporter.log("warning", f"{counted(len(lost), 'restore point')} went from the origin meanwhile.")
    return found


async def _remove_late_copies(job: _Sync, chosen: Sequence[RestorePoint], announced: Sequence[RestorePoint]) -> None:
    """Remove what the engine of an earlier attempt, whose worker was stopped, saved after this one had looked."""
    if job.lease.number == 1:
        return
    try:
        await _look_for_late_copies(job, chosen, {point.snapshot_id for point in announced})
    except CairnError as error:  # Cancelled, too: all is copied and announced, so the job has its result.
        why = "the job was canceled." if isinstance(error, Cancelled) else error.detail
        job.reporter.log("warning", f"What an earlier attempt may have copied twice was not looked for: {why}")


async def _look_for_late_copies(job: _Sync, chosen: Sequence[RestorePoint], told: Collection[str]) -> None:
    # Whoever looks last sees all there is: that worker waits for the end of this attempt, but not for hours.
    found = await job.target.points()
    if replicas(chosen, (point for point in found if point.snapshot_id not in told)):
        await job.lease.renew()
        await remove_surplus(job.context, job.lease.work, job.target, chosen, found, told=told, cancel=job.cancel)


async def _announce(job: _Sync, copied: Sequence[RestorePoint], present: Sequence[RestorePoint]) -> None:
    if points := replicas(copied, present):
        with job.target.named():
            await announce_replicas(job, job.target.app, points, origin=job.origin.app, copied=copied)


TASK = TaskDefinition(type="sync", run=sync, clean_up=clean_up_after_lost_sync)
