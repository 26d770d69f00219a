"""What a backup was asked for, and what that means for its source: what is left out, and what has to be in place."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from integrations.sdk.errors import SourceMissing, SourceReplaced
from integrations.sdk.job_log import OnLog
from integrations.sdk.locations import SourceTree, StoreLocation
from integrations.sdk.text import one_line, shown_path

from connector.engine.errors import RootUnreadable
from connector.engine.port import BackupOptions, OnProgress
from connector.engine.restic.patterns import exclusions


@dataclass(frozen=True, kw_only=True)
class BackupCall:
    """What a backup was asked for."""

    store: StoreLocation
    source: SourceTree
    options: BackupOptions
    on_progress: OnProgress
    on_log: OnLog
    cancel: asyncio.Event
    nice: int
    scratch: Path
    """A directory for files of this run without names."""


def patterns_of(call: BackupCall) -> list[str]:
    """What restic is to leave out. Raises `SourceMissing`, `SourceReplaced` or `RootUnreadable`. Blocks."""
    source = call.source
    try:
        os.stat(f"{source.directory}/.")  # noqa: PTH116 - a Path would drop the dot, which asks for the right to enter.
    except OSError as error:
        raise SourceMissing(f"The source is not there: {named(source)} ({error.strerror})") from None
    require_in_place(source)
    try:
        with os.scandir(source.read_path):
            pass
    except OSError as error:
        raise RootUnreadable((error.strerror or "").lower(), source=named(source)) from None
    return exclusions(source, call.store, call.options.ignores)


def require_in_place(source: SourceTree) -> None:
    """Raise `SourceReplaced` where another directory has the place of the source by now. Blocks."""
    if not source.is_in_place:
        raise SourceReplaced(named(source))


def named(source: SourceTree) -> str:
    """The source as its users know it."""
    return source.origin or str(source.directory)


def is_bare(source: SourceTree) -> bool:
    """Whether there is nothing that could be backed up."""
    return all(each in source.excludes for each in source.directory.iterdir())


def without(call: BackupCall, met: Sequence[str]) -> BackupCall:
    """The call without what was met and is guarded; an inode may be another file's by now."""
    source = call.source
    for path in met:
        below = source.directory / path.removeprefix("/")
        if (facts := _facts(below)) is None:
            continue
        if source.is_still_guarded(facts):
            belongs = "belongs" if source.is_surely_own(facts) else "may belong"
            words = f"{shown_path(path)} is left out on purpose: it {belongs} to Cairn's own state"
            call.on_log("warning", one_line(words))
            source = replace(source, excludes=(*source.excludes, below))
        else:
            source = replace(source, guarded=source.guarded - {(facts.st_dev, facts.st_ino)})
    return replace(call, source=source)


def _facts(path: Path) -> os.stat_result | None:
    """Looked at once: a path may lead to a key a moment after it led to something else."""
    try:
        return path.lstat()
    except OSError:
        return None
