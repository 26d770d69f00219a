"""Compares a restore point with what its source listed (decision 0019)."""

import asyncio
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from contracts.messages.assignment import App
from contracts.values import OrganizationId
from integrations.sdk.errors import Cancelled
from integrations.sdk.job_log import OnLog
from integrations.sdk.locations import SavedFile, SourceComparison, UnreadablePath
from restic_reader import Found, Repository

from connector.context.worker_context import WorkerContext
from connector.engine.port import PROBLEMS_MAX, BackupOutcome
from connector.engine.problems import Problems

log = logging.getLogger(__name__)
NOT_COMPARED = "not_compared"
_UNKNOWN = "the restore point could not be read again, so that nobody can tell whether each file arrived whole"


async def compare_with_listing(
    context: WorkerContext,
    org: OrganizationId,
    target: App,
    *,
    comparison: SourceComparison,
    result: BackupOutcome,
    on_log: OnLog,
    cancel: asyncio.Event,
) -> BackupOutcome:
    """The result, with the files that arrived other than the source lists them among its problems.

    The restore point is read only where its figures are not those of the listing. What goes wrong with that is a
    problem of its own, `NOT_COMPARED`: the restore point stays. Raises `Cancelled`.
    """
    # An engine cannot tell a file whose transfer ended early from a whole one. Equal figures spare reading the tree.
    files, size_bytes = result.summary.files_processed, result.summary.bytes_processed
    if await asyncio.to_thread(comparison.adds_up, files=files, size_bytes=size_bytes):
        return result
    found, unknown = Problems(on_log), tuple[UnreadablePath, ...]()
    try:
        async with context.stores.borrow(org, target) as store:
            files_of = _until(cancel, _files_of(store.repository, result.snapshot_id))
            await context.stores.in_thread(lambda: comparison.take_in(files_of), of=target.id)
        names_all = result.problem_count == len(result.problems)
        # Once not all problems are known by name, any file that is missing may be one of those that were counted only.
        is_explained = result.is_left_out if names_all else lambda _: True
        async for problem in comparison.differences(result.problems, is_left_out=is_explained, on_log=on_log):
            found.add(problem)
    except Cancelled:
        raise
    except Exception as error:  # Whatever else it is: the restore point was made, and is not lost for it.
        log.warning("restore point not compared", extra={"snapshot": result.snapshot_id}, exc_info=error)
        unknown = (UnreadablePath("/", _UNKNOWN, NOT_COMPARED),)
        found.add(*unknown)
    found.flush()
    return with_found(result, found, unknown)


def with_found(result: BackupOutcome, found: Problems, unknown: Sequence[UnreadablePath]) -> BackupOutcome:
    """The result with more problems, `unknown` ones first."""
    # First, because the list is cut: a comparison that could not be made must not be hidden by other problems.
    problems = tuple(dict.fromkeys((*unknown, *found.kept, *result.problems)))[:PROBLEMS_MAX]
    return replace(result, problems=problems, problem_count=result.problem_count + found.count)


def is_compared(result: BackupOutcome) -> bool:
    """Whether all that differs from the listing is known."""
    return all(problem.code != NOT_COMPARED for problem in result.problems)


def _until(cancel: asyncio.Event, files: Iterable[SavedFile]) -> Iterator[SavedFile]:
    """The files, until `cancel` is set: then raises `Cancelled`."""
    for each in files:
        if cancel.is_set():
            raise Cancelled
        yield each


def _files_of(repository: Repository, snapshot_id: str) -> Iterator[SavedFile]:
    top = Found(b"", repository.resolve(repository.snapshot(snapshot_id).tree, b"/"))
    for path, node in repository.descend(top):
        if node.type == "file":
            yield SavedFile(path.decode("utf-8", "surrogateescape"), node.size, node.mtime_ns)
