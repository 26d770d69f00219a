"""Finds what a source listed and a restore point lacks: restic skips files that are gone when it reads them."""

import asyncio
import logging
import os
from dataclasses import dataclass, field
from pathlib import Path

from contracts.messages.assignment import App
from contracts.values import OrganizationId
from integrations.sdk.errors import Cancelled
from integrations.sdk.job_log import OnLog, in_few_lines
from integrations.sdk.locations import UnreadablePath
from integrations.sdk.text import one_line, shown_path
from restic_reader import Repository
from restic_reader.errors import NotADirectory, PathNotFound

from connector.context.worker_context import WorkerContext
from connector.engine.port import BackupOutcome
from connector.engine.problems import Problems
from connector.engine.source_listing import ListedEntry, SourceListing
from connector.jobs.listing_comparison import NOT_COMPARED, with_found

log = logging.getLogger(__name__)
REMOVED_NAMED = 10_000
NOT_THERE = "is in the source, but was not there when it was to be read"
_UNKNOWN = "the restore point could not be read again, so that nobody can tell whether each file arrived"


@dataclass
class Lacking:
    """What a restore point lacks of what was listed."""

    problems: Problems
    """What the source still has."""
    removed: list[str] = field(default_factory=list)
    """The first ones of what it has no more, in words."""
    removed_count: int = 0


async def name_vanished(
    context: WorkerContext,
    org: OrganizationId,
    target: App,
    *,
    directory: Path,
    result: BackupOutcome,
    on_log: OnLog,
    cancel: asyncio.Event,
) -> BackupOutcome:
    """The result, with what was listed and still is in `directory`, and is not in the restore point, as problems.

    What was removed meanwhile is logged. The restore point is read only where it does not have as many files as were
    listed, and where all other problems are known by name. What goes wrong with that is a problem of its own,
    `NOT_COMPARED`. Raises `Cancelled`.
    """
    listing = result.listed
    if listing is None or _adds_up(listing, result):
        return result
    lacking, unknown = Lacking(Problems(on_log)), tuple[UnreadablePath, ...]()
    try:
        async with context.stores.borrow(org, target) as store:
            comparison = _Comparison(store.repository, directory, result, lacking, cancel)
            await context.stores.in_thread(lambda: comparison.through(listing), of=target.id)
    except Cancelled:
        raise
    except Exception as error:  # Whatever else it is: the restore point was made, and is not lost for it.
        log.warning("restore point not compared", extra={"snapshot": result.snapshot_id}, exc_info=error)
        unknown = (UnreadablePath("/", _UNKNOWN, NOT_COMPARED),)
        lacking.problems.add(*unknown)
    lacking.problems.flush()
    for line in in_few_lines("Removed while the source was read", lacking.removed):
        on_log("info", line)
    if beyond := lacking.removed_count - len(lacking.removed):
        on_log("info", f"Removed while the source was read: {beyond} more")
    return with_found(result, lacking.problems, unknown)


def _adds_up(listing: SourceListing, result: BackupOutcome) -> bool:
    # With problems that were only counted a missing file cannot be told from one of them, so nothing is compared.
    names_all = result.problem_count == len(result.problems)
    return not names_all or listing.files == result.summary.files_processed + result.problem_count


class _Comparison:
    """One comparison. Its calls block."""

    def __init__(
        self, repository: Repository, directory: Path, result: BackupOutcome, lacking: Lacking, cancel: asyncio.Event
    ) -> None:
        self._repository = repository
        self._directory = directory
        self._tree = repository.snapshot(result.snapshot_id).tree
        self._lacking = lacking
        self._cancel = cancel
        self._named = {problem.path for problem in result.problems}

    def through(self, listing: SourceListing) -> None:
        """Look for each entry that was listed. Raises `Cancelled`, or what reading the repository raises."""
        for directory, entries in listing.parts():
            if self._cancel.is_set():
                raise Cancelled
            if not self._is_named(directory):
                saved = self._saved_in(directory)
                for entry in entries:
                    if entry.name not in saved:
                        self._judge(f"{directory.rstrip('/')}/{entry.name}", entry)

    def _saved_in(self, directory: str) -> frozenset[str]:
        try:
            node = self._repository.resolve(self._tree, os.fsencode(directory))
        except (PathNotFound, NotADirectory):
            return frozenset()
        parts = self._repository.parts(node.subtree) if node.subtree else ()
        return frozenset(os.fsdecode(each.name) for part in parts for each in part)

    def _judge(self, path: str, entry: ListedEntry) -> None:
        text = shown_path(path)
        if text in self._named:
            return
        # Only what is there now counts as a problem: a file that was removed before it could be read is no loss.
        if entry.is_still_at(self._directory / path.removeprefix("/")):
            self._named.add(text)
            self._lacking.problems.add(UnreadablePath(text, NOT_THERE))
            return
        self._lacking.removed_count += 1
        if len(self._lacking.removed) < REMOVED_NAMED:
            self._lacking.removed.append(one_line(text))

    def _is_named(self, directory: str) -> bool:
        """Whether a directory, or one above it, is among the problems."""
        path = Path(directory)
        return any(shown_path(str(each)) in self._named for each in (path, *path.parents))
