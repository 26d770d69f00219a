"""Restoring what a restore point has, or a part of it, into a destination or the source that it came from."""

from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from threading import Event
from time import monotonic

from contracts.errors import Invalid, PermanentError
from contracts.messages.assignment import App
from contracts.task_types.restore import RestoreResult
from contracts.values import SnapshotId
from integrations.sdk.ports.destination import OpenDestination, RestoreRequest
from restic_reader import Snapshot

from connector.domain.origins import origin_of
from connector.engine.problems import Problems
from connector.jobs.definition import Job, JobOutcome, TaskDefinition
from connector.jobs.thread_work import in_thread
from connector.restore.chosen_nodes import ChosenNodes, SelectionBroken
from connector.restore.transfer import Transfer
from connector.store_state.identity import require_same_store
from connector.store_state.orphan_snapshots import store_location
from connector.stores.open_stores import OpenStore
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
    if not job.options.snapshot_id:
        fault = "A restore needs a restore point."
        raise Invalid("options_invalid", fault, fields={"config.snapshot_id": fault})
    store, target = await job.app(task.origin), await job.app(task.target)
    await require_same_store(job.context, job.org, store)
    job.reporter.log("info", f"The restore point is {job.options.snapshot_id[:8]}.")
    async with AsyncExitStack() as stack:
        reading = SnapshotId(job.options.snapshot_id)
        opened = await stack.enter_async_context(job.context.stores.borrow(job.org, store, reading=reading))
        snapshot = await job.context.stores.in_thread(partial(opened.snapshot, reading), of=store.id)
        destination = await stack.enter_async_context(_open(job, store, target, snapshot))
        problems = Problems(job.reporter.log)
        write = partial(_write, job, store, opened, snapshot=snapshot, destination=destination, problems=problems)
        result = await in_thread(job, write, of=store.id)
    problems.flush()
    result = result.model_copy(update={"duration_seconds": round(monotonic() - began, 3)})
    return JobOutcome(result, RestoreIncomplete(problems) if problems.count else None)


def _open(job: Job, store: App, target: App, snapshot: Snapshot) -> AbstractAsyncContextManager[OpenDestination]:
    names_of_objects = origin_of(snapshot.tags or (), job.org).location.startswith(_OBJECTS)
    location = store_location(job.context, job.org, store)
    request = RestoreRequest(
        job_id=job.id,
        attempt=job.lease.number,
        names_of="objects" if names_of_objects else "files",
        store_path=location.local_path,
        store_address=location.address,
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
) -> RestoreResult:
    point, paths = restore_point_of(snapshot, org=job.org, store_id=store.id), job.options.paths or ("/",)
    selection = choose(opened.repository, point, [path.encode() for path in paths])
    transfer = Transfer(
        repository=opened.repository,
        nodes=ChosenNodes(opened.repository, point.tree_id, selection),
        destination=destination,
        overwrite=job.options.overwrite,
        problems=problems,
        is_cancelled=stop.is_set,
        on_progress=job.reporter.progress,
        on_path=job.reporter.measures.handle,
    )
    try:
        transfer.plan()
        job.reporter.enter("transferring")
        transfer.write()
        job.reporter.enter("verifying")
        transfer.verify()
    except SelectionBroken as error:
        raise error.cause from None
    return _result(snapshot, transfer, problems)


def _result(snapshot: Snapshot, transfer: Transfer, problems: Problems) -> RestoreResult:
    figures = transfer.figures
    return RestoreResult(
        snapshot_id=snapshot.id,
        files=figures.files,
        files_written=figures.written,
        files_unchanged=figures.unchanged,
        files_kept=figures.kept,
        files_verified=figures.verified,
        bytes_written=figures.written_bytes,
        problem_count=problems.count,
    )


TASK = TaskDefinition(type="restore", run=restore)
