"""Checking a store, or one restore point of it: the structure, or with data read."""

from collections.abc import Iterator, Sequence
from functools import partial
from threading import Event
from time import monotonic

from contracts.errors import PermanentError, TemporaryError
from contracts.messages.assignment import App
from contracts.task_types.check import CheckResult
from contracts.values import SnapshotId
from integrations.sdk.ports.destination import ExistingFile, RestoredNode, Write

from connector.engine.errors import StoreUnreachable
from connector.engine.port import CheckOutcome, OnProgress
from connector.engine.problems import Problems
from connector.jobs.definition import Job, JobOutcome, TaskDefinition
from connector.jobs.store_turn import store_for_itself
from connector.jobs.store_wait import alone, remove_stale_locks
from connector.jobs.thread_work import in_thread
from connector.restore.chosen_nodes import ChosenNodes, SelectionBroken
from connector.restore.transfer import Transfer
from connector.store_state.identity import require_same_store
from connector.store_state.orphan_snapshots import store_location
from connector.stores.open_stores import OpenStore
from connector.stores.restore_points import restore_point_of
from connector.stores.selection import choose

_FINDINGS_MAX = 100
_NAMED_MAX = 3


class ChecksFailed(PermanentError):
    """A check came to its end and found something."""

    def __init__(self, findings: tuple[str, ...], count: int) -> None:
        named = "; ".join(findings[:_NAMED_MAX])
        more = f" and {count - _NAMED_MAX} more" if count > _NAMED_MAX else ""
        super().__init__("check_failed", f"The check found what is wrong: {named}{more}.")


async def check(job: Job) -> JobOutcome:
    """Check what the options say. A second attempt begins anew: nothing was changed."""
    job.reporter.enter("preparing")
    store, began = await job.app(job.request.task.origin), monotonic()
    try:
        await require_same_store(job.context, job.org, store)
    except StoreUnreachable as error:
        # Of a store that is away from the start somebody hears at once, as with every task.
        raise error if job.lease.number == 1 else _outage(error) from None
    result = await (_check_restore_point(job, store) if job.options.snapshot_id else _check_store(job, store))
    result = result.model_copy(update={"duration_seconds": round(monotonic() - began, 3)})
    if result.finding_count:
        return JobOutcome(result, ChecksFailed(result.findings, result.finding_count))
    job.reporter.log("info", "Nothing wrong was found.")
    return JobOutcome(result)


async def _check_store(job: Job, store: App) -> CheckResult:
    location = store_location(job.context, job.org, store)

    async def check_store(on_progress: OnProgress) -> CheckOutcome:
        return await job.context.engine.check(
            location,
            read_percent=job.options.read_percent,
            on_progress=on_progress,
            on_log=job.reporter.log,
            cancel=job.cancel,
        )

    try:
        async with store_for_itself(job, store, location):
            if job.lease.number > 1:
                # A check that was killed leaves a lock that keeps everybody out.
                await remove_stale_locks(job, location)
            outcome = await alone(job, store, location, phase="checking", work=check_store)
    except StoreUnreachable as error:
        raise _outage(error) from None
    return CheckResult(
        read_percent=job.options.read_percent,
        findings=outcome.findings[:_FINDINGS_MAX],
        finding_count=outcome.finding_count,
    )


def _outage(error: StoreUnreachable) -> TemporaryError:
    """Lets the job be tried again, as one that reads a restore point is: checks run for days, and networks fail."""
    return TemporaryError(error.code, error.detail)


async def _check_restore_point(job: Job, store: App) -> CheckResult:
    snapshot_id, problems = SnapshotId(job.options.snapshot_id or ""), Problems(job.reporter.log)
    async with job.context.stores.borrow(job.org, store, reading=snapshot_id) as opened:
        job.reporter.enter("checking")
        read = partial(_read_restore_point, job, store, opened, problems=problems)
        result = await in_thread(job, read, of=store.id)
    problems.flush()
    return result


def _read_restore_point(job: Job, store: App, opened: OpenStore, stop: Event, *, problems: Problems) -> CheckResult:
    snapshot = opened.snapshot(job.options.snapshot_id or "")
    point = restore_point_of(snapshot, org=job.org, store_id=store.id)
    transfer = Transfer(
        repository=opened.repository,
        nodes=ChosenNodes(opened.repository, point.tree_id, choose(opened.repository, point, [b"/"])),
        destination=_DiscardingDestination(),
        overwrite="always",
        problems=problems,
        is_cancelled=stop.is_set,
        on_progress=job.reporter.progress,
        on_path=job.reporter.measures.handle,
    )
    try:
        transfer.plan()
        if job.options.read_percent:
            transfer.write()
        else:
            transfer.measure()
    except SelectionBroken as error:
        raise error.cause from None
    return CheckResult(
        snapshot_id=snapshot.id,
        read_percent=100 if job.options.read_percent else 0,
        files=transfer.figures.files,
        bytes_read=transfer.figures.written_bytes,
        findings=tuple(each.in_words for each in problems.kept[:_FINDINGS_MAX]),
        finding_count=problems.count,
    )


class _DiscardingDestination:
    """A destination that keeps nothing: reading compares each blob with its hash."""

    writers = 1

    def existing(self, _restored: RestoredNode) -> ExistingFile | None:
        return None

    def make_directory(self, restored: RestoredNode, *, keep_attributes: bool) -> None:
        pass

    def writing(self, restored: RestoredNode) -> Write:
        return partial(self.write, restored)

    def write(self, _restored: RestoredNode, pieces: Iterator[bytes]) -> None:
        for _ in pieces:
            pass

    def finish(self) -> None:
        pass

    def lacking(self) -> Sequence[tuple[bytes, str]]:
        return ()

    def read(self, _restored: RestoredNode) -> Iterator[bytes]:
        return iter(())


TASK = TaskDefinition(type="check", run=check)
