"""Restoring what a restore point has, or a part of it, into a destination or the source that it came from."""

import asyncio
from contextlib import AbstractAsyncContextManager, AsyncExitStack, closing
from functools import partial
from threading import Event
from time import monotonic

from chassis.ids import utc_now
from contracts.errors import PermanentError
from contracts.file_properties import FILE_PROPERTIES, FileProperty
from contracts.messages.assignment import App
from contracts.point_filters import PointSelection
from contracts.values import SnapshotId
from integrations.sdk.ports.destination import GuardedPlace, OpenDestination, RestoreRequest
from restic_reader import Snapshot

from connector.domain.attempts import ChosenSnapshot, chosen_before
from connector.domain.origins import origin_of
from connector.engine.problems import Problems
from connector.jobs.definition import Job, JobOutcome, TaskDefinition
from connector.jobs.store_outages import require_own_store
from connector.jobs.thread_work import in_thread
from connector.restore.chosen_nodes import ChosenNodes, SelectionBroken
from connector.restore.guarded_places import guarded_places
from connector.restore.results import Carried, preview, write_and_verify
from connector.restore.shared_writing import Sent
from connector.restore.transfer import Transfer
from connector.restore.writer_processes import WriterProcesses
from connector.store_state.chosen_points import choose_restore_points
from connector.store_state.orphan_snapshots import store_location
from connector.stores.open_stores import OpenStore
from connector.stores.point_choice import (
    NoRestorePoint,
    PointChoice,
    conditions_in_words,
    only_id,
    selection_of,
)
from connector.stores.restore_points import restore_point_of
from connector.stores.selection import choose

_OBJECTS = "s3://"
"""How the place of a source begins whose files stand for objects."""


class RestoreIncomplete(PermanentError):
    """Something was left out, or is not what it should be."""

    def __init__(self, problems: Problems) -> None:
        super().__init__("restore_incomplete", f"Not everything could be restored: {problems.in_words()}.")


async def restore(job: Job) -> JobOutcome:
    """Write what was chosen, read it back and compare it. A second attempt begins anew: files that are complete are as
    good as written, and none is there half written.
    """
    job.reporter.enter("preparing")
    task, began = job.request.task, monotonic()
    store, target = await job.app(task.origin), await job.app(task.target)
    await require_own_store(job, store)
    chosen = await choose_point(job, store)
    async with AsyncExitStack() as stack:
        reading = SnapshotId(chosen.snapshot_id)
        opened = await stack.enter_async_context(job.context.stores.borrow(job.org, store, reading=reading))
        # From the store, not from memory: a restore point that was deleted must not seem to be there.
        snapshot = await job.context.stores.in_thread(partial(opened.repository.snapshot, reading), of=store.id)
        places = await job.unless_cancelled(_guarded(job, store, target))
        destination = await stack.enter_async_context(_open(job, target, snapshot, guarded=places))
        problems = Problems(job.reporter.log)
        write = partial(_write, job, store, opened, snapshot=snapshot, destination=destination, problems=problems)
        result, ended = await in_thread(job, write, of=store.id)
    problems.flush()
    facts = {
        "points_matched": chosen.matched,
        "root": job.options.root,
        "not_kept": _not_kept(job, target),
        "duration_seconds": round(monotonic() - began, 3),
    }
    problem = ended or (RestoreIncomplete(problems) if problems.count else None)
    return JobOutcome(result.model_copy(update=facts), problem)


async def choose_point(job: Job, store: App) -> ChosenSnapshot:
    """The restore point that is meant: the newest that fulfils all conditions. Raises `NoRestorePoint`."""
    options = selection_of(job.options)
    if named := only_id(options):
        job.reporter.log("info", f"The restore point is {named[:8]}.")
        return ChosenSnapshot(snapshot_id=named, matched=1)
    chosen = chosen_before(await job.context.store.attempts_at(job.org, job.id))
    if chosen is None:
        chosen = await _newest(job, store, options)
    else:
        job.reporter.log("info", f"The restore point is {chosen.snapshot_id[:8]}, as an earlier attempt chose.")
    # A newer one may be there by the next attempt: what is half restored of one must not be completed from another.
    await job.lease.choose(chosen)
    return chosen


async def _newest(job: Job, store: App, options: PointSelection) -> ChosenSnapshot:
    choice = await choose_restore_points(job.context, job.org, store, options, now=utc_now())
    for error in choice.unreadable:
        job.reporter.log("warning", f"A restore point cannot be looked at: {error.detail}")
    if not choice.chosen:
        raise NoRestorePoint(store.name, options, there=choice.there)
    job.reporter.log("info", _chosen_in_words(choice, options))
    return ChosenSnapshot(snapshot_id=choice.chosen[0].snapshot_id, matched=len(choice.chosen))


def _chosen_in_words(choice: PointChoice, options: PointSelection) -> str:
    point, conditions = choice.chosen[0], conditions_in_words(options)
    which = f"the newest of {len(choice.chosen)}" + (
        f" that fulfil all conditions ({conditions})" if conditions else ""
    )
    if choice.source_count > 1:
        which += f", of {choice.source_count} sources"
    whose = point.source_name or point.source_id or point.hostname
    of = f" of {whose}" if whose else ""
    return f"The restore point is {point.snapshot_id[:8]}{of}, made at {point.time:%Y-%m-%d %H:%M:%S} UTC: {which}."


def _not_kept(job: Job, target: App) -> tuple[FileProperty, ...]:
    """What of files the destination cannot give back, or should not."""
    keeps = set(job.context.integrations.connection_test(target.protocol).manifest.keeps)
    keep = job.options.keep
    # An access list is a part of the mode, written as an extended attribute.
    wanted = {"owner": keep.owner, "mode": keep.mode, "times": keep.times, "xattrs": keep.xattrs}
    wanted["acls"] = keep.mode and keep.xattrs
    return tuple(each for each in FILE_PROPERTIES if each not in keeps or not wanted.get(each, True))


async def _guarded(job: Job, store: App, target: App) -> tuple[GuardedPlace, ...]:
    location = await asyncio.to_thread(store_location, job.context, job.org, store)
    return await guarded_places(
        job.context, job.org, store=store, location=location, target=target, folder=job.options.root
    )


def _open(
    job: Job, target: App, snapshot: Snapshot, *, guarded: tuple[GuardedPlace, ...]
) -> AbstractAsyncContextManager[OpenDestination]:
    if lost := _not_kept(job, target):
        job.reporter.log("info", f"Of files, these are not given back: {', '.join(lost).replace('_', ' ')}.")
    names_of_objects = origin_of(snapshot.tags or (), job.org).location.startswith(_OBJECTS)
    request = RestoreRequest(
        job_id=job.id,
        attempt=job.lease.number,
        names_of="objects" if names_of_objects else "files",
        guarded=guarded,
        folder=job.options.root,
        keep=job.options.keep,
        dry_run=job.options.dry_run,
    )
    return job.context.integrations.destination(target.protocol).open_destination(
        job.context.configuration(job.org, target), request, on_log=job.reporter.log, cancel=job.cancel
    )


def _write(
    job: Job,
    store: App,
    opened: OpenStore,
    stop: Event,
    *,
    snapshot: Snapshot,
    destination: OpenDestination,
    problems: Problems,
) -> Carried:
    point, paths = restore_point_of(snapshot, org=job.org, store_id=store.id), job.options.paths or ("/",)
    selection = choose(opened.repository, point, [path.encode() for path in paths])
    count = 0 if job.options.dry_run else job.context.settings.restore_processes
    processes = WriterProcesses[Sent](count, meter=job.reporter.measures.meter)
    transfer = Transfer(
        repository=opened.repository,
        snapshot_id=snapshot.id,
        nodes=ChosenNodes(opened.repository, point.tree_id, selection),
        destination=destination,
        overwrite=job.options.overwrite,
        problems=problems,
        is_cancelled=stop.is_set,
        on_progress=job.reporter.progress,
        on_path=job.reporter.measures.handle,
        on_log=job.reporter.log,
        processes=processes,
    )
    with closing(processes):
        try:
            transfer.plan()
            carry_out = preview if job.options.dry_run else write_and_verify
            return carry_out(transfer, SnapshotId(snapshot.id), enter=job.reporter.enter, on_log=job.reporter.log)
        except SelectionBroken as error:
            raise error.cause from None


TASK = TaskDefinition(type="restore", run=restore)
