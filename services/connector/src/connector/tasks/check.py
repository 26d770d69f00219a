"""Checking a store, or restore points of it: the structure, or with data read."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Event
from time import monotonic

from chassis.ids import utc_now
from contracts.errors import PermanentError
from contracts.messages.assignment import App
from contracts.point_filters import PointSelection
from contracts.task_types.check import LISTED_POINTS, CheckResult
from contracts.values import SnapshotId
from integrations.sdk.locations import StoreLocation
from restic_reader import Repository, StoredPacks
from restic_reader.errors import SnapshotNotFound

from connector.domain.read_shares import ReadShare, next_share
from connector.engine.errors import StoreUnreachable
from connector.engine.port import CheckOutcome, OnProgress, Progress, Share
from connector.engine.problems import Problems
from connector.jobs.definition import Job, JobOutcome, TaskDefinition
from connector.jobs.store_line import store_for_itself
from connector.jobs.store_outages import outage, require_own_store
from connector.jobs.store_wait import alone, remove_stale_locks
from connector.jobs.thread_work import in_thread
from connector.restore.chosen_nodes import ChosenNodes, SelectionBroken
from connector.restore.discarding import DiscardingDestination
from connector.restore.figures import Figures
from connector.restore.transfer import Transfer
from connector.store_state.chosen_points import choose_restore_points
from connector.store_state.orphan_snapshots import store_location
from connector.stores.open_stores import OpenStore
from connector.stores.point_choice import NoRestorePoint, only_id, selection_of
from connector.stores.restore_points import restore_point_of
from connector.stores.selection import choose

_FINDINGS_MAX = 100
_NAMED_MAX = 3


class ChecksFailed(PermanentError):
    """A check came to its end and found something."""

    def __init__(self, findings: tuple[str, ...], count: int) -> None:
        named = "; ".join(findings[:_NAMED_MAX])
        more = f" and {count - _NAMED_MAX} more" if count > _NAMED_MAX else ""
        super().__init__("check_failed", f"Damage found: {named}{more}.")


async def check(job: Job) -> JobOutcome:
    """Check what the options say. A second attempt begins anew: nothing was changed."""
    job.reporter.enter("preparing")
    store, began = await job.app(job.request.task.origin), monotonic()
    await require_own_store(job, store)
    selection = selection_of(job.options)
    result = await (_check_points(job, store, selection) if selection.selects else _check_store(job, store))
    result = result.model_copy(update={"duration_seconds": round(monotonic() - began, 3)})
    if result.finding_count:
        return JobOutcome(result, ChecksFailed(result.findings, result.finding_count))
    job.reporter.log("info", "Nothing wrong was found.")
    return JobOutcome(result)


async def _check_store(job: Job, store: App) -> CheckResult:
    location = store_location(job.context, job.org, store)
    try:
        async with store_for_itself(job, store, location):
            if job.lease.number > 1:
                # A check that was killed leaves a lock that keeps everybody out.
                await remove_stale_locks(job, location)
            share = await _share(job, store)
            work = partial(_engine_check, job, location, share)
            outcome = await alone(job, store, location, phase="checking", work=work)
            await _note(job, store, share)
    except StoreUnreachable as error:
        raise outage(error) from None
    return CheckResult(
        read_percent=round(100 / share.of, 3) if share else job.options.read_percent,
        read_share=share.number if share else None,
        read_shares=share.of if share else None,
        findings=outcome.findings[:_FINDINGS_MAX],
        finding_count=outcome.finding_count,
    )


async def _share(job: Job, store: App) -> Share | None:
    """The share of the data that is next, if shares are read."""
    if not (of := job.options.read_shares):
        return None
    last = await job.context.store.read_shares.get(job.org, store.id)
    repository_id = await job.context.store.repositories.of(job.org, store.id) or ""
    number = next_share(last, repository_id=repository_id, of=of, job_id=job.id)
    job.reporter.log("info", f"This check reads share {number} of {of} of the store's data.")
    return Share(number, of)


async def _note(job: Job, store: App, share: Share | None) -> None:
    """A share counts once its check has come to an end, whatever that found."""
    if share is None:
        return
    shares = job.context.store.read_shares
    repository_id = await job.context.store.repositories.of(job.org, store.id) or ""
    read = ReadShare(repository_id=repository_id, number=share.number, of=share.of, job_id=job.id)
    # Of one attempt alone: it has the store for itself.
    await shares.save(await shares.load(job.org, store.id), read)


async def _engine_check(
    job: Job, location: StoreLocation, share: Share | None, on_progress: OnProgress
) -> CheckOutcome:
    return await job.context.engine.check(
        location,
        read_percent=job.options.read_percent,
        share=share,
        on_progress=on_progress,
        on_log=job.reporter.log,
        cancel=job.cancel,
    )


@dataclass
class _Found:
    """What came of the restore points so far."""

    checked: list[str] = field(default_factory=list)
    figures: Figures = field(default_factory=partial(Figures, passes=1))
    findings: list[str] = field(default_factory=list)
    count: int = 0
    packs: StoredPacks | None = None
    """One listing for all of them."""

    def add(self, words: str) -> None:
        self.count += 1
        if len(self.findings) < _FINDINGS_MAX:
            self.findings.append(words)


async def _check_points(job: Job, store: App, selection: PointSelection) -> CheckResult:
    found = _Found()
    chosen = await _choose(job, store, selection, found)
    # By a repository of its own: what others have read and keep in memory says nothing about what the store has now.
    async with job.context.stores.open_alone(job.org, store) as reading:
        for number, snapshot_id in enumerate(chosen):
            if len(chosen) > 1:
                job.reporter.log("info", f"Restore point {snapshot_id[:8]}, {number + 1} of {len(chosen)}.")
            try:
                async with reading(SnapshotId(snapshot_id)) as opened:
                    await _check_point(job, store, opened, snapshot_id, found=found, done=number, of=len(chosen))
            except SnapshotNotFound:
                if len(chosen) == 1:
                    raise
                job.reporter.log("warning", f"Restore point {snapshot_id[:8]} was removed meanwhile.")
    return CheckResult(
        snapshot_id=found.checked[0] if len(found.checked) == 1 else None,
        snapshot_ids=tuple(found.checked[:LISTED_POINTS]),
        points=len(found.checked),
        read_percent=100 if job.options.read_percent else 0,
        files=found.figures.files,
        bytes_read=found.figures.written_bytes,
        findings=tuple(found.findings),
        finding_count=found.count,
    )


async def _choose(job: Job, store: App, selection: PointSelection, found: _Found) -> list[str]:
    """The ids of the restore points that are meant, newest first. Raises `NoRestorePoint`: nothing checked is no
    success.
    """
    if named := only_id(selection):
        return [named]
    choice = await choose_restore_points(job.context, job.org, store, selection, now=utc_now())
    for error in choice.unreadable:
        # Nobody knows whether it is one of those that are meant.
        found.add(f"a restore point cannot be looked at: {error.detail.rstrip('.')}")
        job.reporter.log("error", f"A restore point cannot be looked at: {error.detail}")
    if not choice.chosen and not choice.unreadable:
        raise NoRestorePoint(store.name, selection, there=choice.there)
    return [each.snapshot_id for each in choice.chosen]


async def _check_point(
    job: Job, store: App, opened: OpenStore, snapshot_id: str, *, found: _Found, done: int, of: int
) -> None:
    problems, figures = Problems(job.reporter.log), Figures(passes=1)

    def progress(progress: Progress) -> None:
        job.reporter.progress(replace(progress, fraction=(done + progress.fraction) / of))

    job.reporter.enter("checking")
    found.packs = found.packs or opened.repository.stored_packs()
    read = partial(
        _read_point,
        job,
        store,
        opened.repository,
        snapshot_id=snapshot_id,
        packs=found.packs,
        problems=problems,
        figures=figures,
        tell=progress,
    )
    found.checked.append(await in_thread(job, read, of=store.id))
    problems.flush()
    found.figures.files += figures.files
    found.figures.written_bytes += figures.written_bytes
    prefix = f"restore point {snapshot_id[:8]}: " if of > 1 else ""
    for each in problems.kept:
        found.add(f"{prefix}{each.in_words}")
    found.count += problems.count - len(problems.kept)


def _read_point(
    job: Job,
    store: App,
    repository: Repository,
    stop: Event,
    *,
    snapshot_id: str,
    packs: StoredPacks,
    problems: Problems,
    figures: Figures,
    tell: Callable[[Progress], None],
) -> str:
    # From the store, not from memory: a restore point that was deleted must not seem to be there.
    snapshot = repository.snapshot(snapshot_id)
    point = restore_point_of(snapshot, org=job.org, store_id=store.id)
    transfer = Transfer(
        repository=repository,
        snapshot_id=snapshot.id,
        nodes=ChosenNodes(repository, point.tree_id, choose(repository, point, [b"/"])),
        destination=DiscardingDestination(),
        overwrite="always",
        problems=problems,
        is_cancelled=stop.is_set,
        on_progress=tell,
        on_path=job.reporter.measures.handle,
        figures=figures,
    )
    try:
        if job.options.read_percent:
            transfer.plan()
            transfer.write()
        else:
            transfer.measure(packs)
    except SelectionBroken as error:
        raise error.cause from None
    return snapshot.id


TASK = TaskDefinition(type="check", run=check)
