"""Brings a source into a scratch directory: only what changed since the last run is copied."""

import asyncio
import shutil
from pathlib import Path

from chassis.children import run_child
from chassis.scrubbing import Scrubber

from connector.engine.places import SourceTree
from connector.integrations.errors import Cancelled, SourceUnreachable
from connector.integrations.rclone.log import RcloneLog
from connector.integrations.rclone.remote import Rclone, Remote

_SOME_FAILED = frozenset({1, 6, 8})
"""Exit codes of a run in which single objects failed."""
_ARGUMENTS = (
    "--use-server-modtime",  # The object's own time tells a change, without a request per object.
    "--inplace",  # A temporary name would be too long for names of 255 bytes.
    "--ignore-errors",  # What is gone from the source goes here too, although some objects cannot be copied.
    *("--transfers", "8", "--checkers", "8", "--retries", "2", "--retries-sleep", "1s"),
    *("--stats", "2s", "--stats-log-level", "NOTICE"),
)


async def copy_source(rclone: Rclone, remote: Remote, directory: Path) -> SourceTree:
    """Make the directory like the source; objects that cannot be copied are the tree's problems.

    Raises `SourceUnreachable` when the source cannot be listed (the directory then stays as it was), or `Cancelled`.
    """
    await asyncio.to_thread(_prepare, directory, clear=remote.is_empty)
    if remote.is_empty:
        return SourceTree(directory=directory, origin=remote.origin)
    rclone.on_log("info", f"copying what changed in {remote.origin}")
    log = RcloneLog(rclone.on_log, Scrubber(remote.secrets))
    command = rclone.command("sync", remote.argument, str(directory), *_ARGUMENTS, remote=remote)
    exit_code = await run_child(command, on_output=log.take, on_error=log.take, cancel=rclone.cancel)
    if rclone.cancel.is_set():
        raise Cancelled
    if exit_code and not (exit_code in _SOME_FAILED and log.problems):
        raise SourceUnreachable(f"{remote.origin} could not be copied: {log.words or f'exit code {exit_code}'}")
    return SourceTree(directory=directory, origin=remote.origin, problems=log.problems)


def _prepare(directory: Path, *, clear: bool) -> None:
    if clear and directory.exists():
        shutil.rmtree(directory)
    directory.mkdir(mode=0o700, exist_ok=True)
