"""The port of places that take files of a restore point back."""

import asyncio
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from contracts.task_types.restore import Keep
from restic_reader import Node

from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.job_log import OnLog

_KEEP_ALL = Keep()

NamesOf = Literal["files", "objects"]
"""What the names in a restore point are: of files, or of files that stand for keys of objects (decision 0019)."""


@dataclass(frozen=True, kw_only=True)
class GuardedPlace:
    """Where no restore may write, wherever its destination is: a place of this machine, an address, or both."""

    why: str
    """Said of it where it is met, e.g. `it belongs to the store that is restored from`."""
    path: Path | None = None
    named_path: Path | None = None
    """By which path it is reached: the links on that are not written either, as another link would lead elsewhere."""
    address: str = ""
    """Where the engine finds a store, as in `StoreLocation`."""


@dataclass(frozen=True, kw_only=True)
class RestoreRequest:
    """What a destination must know of a restore before it begins."""

    job_id: str
    attempt: int = 1
    """Later attempts have higher numbers; one whose worker was only stopped may go on beside the next."""
    names_of: NamesOf = "files"
    guarded: tuple[GuardedPlace, ...] = ()
    """Stores, that which it reads first, and what else must stay as it is: a destination that lies in one of them is
    refused (`RootForbidden`); of one that lies around them, nothing in them is written."""
    folder: str = ""
    """The folder of the destination that is restored into, made where it is missing: names with slashes between them,
    none of them empty, `.` or `..`. Nothing that is there may lead out of the destination's root."""
    keep: Keep = _KEEP_ALL
    """Which attributes of files are given back."""
    dry_run: bool = False
    """Nothing may be written, and nothing made: only `existing` and `require_keepable` are called."""


@dataclass(frozen=True, kw_only=True)
class RestoredNode:
    """Something in a restore point, and where it goes."""

    path: bytes
    """Below the destination's root: names with slashes between them."""
    node: Node
    is_empty: bool = False
    """Of a directory: whether it has nothing in it."""
    is_there: bool | None = None
    """Of anything else: whether `existing` found something in its place; None where it was not asked."""


@dataclass(frozen=True)
class ExistingFile:
    """What the destination has where something is to be written."""

    size_bytes: int | None
    """None where it is something else than a file with content."""
    modified_ns: int
    kind: int = stat.S_IFREG
    """The bits of a mode that say what it is."""
    link_target: bytes = b""

    def is_like(self, node: Node) -> bool:
        """Whether it is of the kind, and has the size and the time, of what would be written; as a link its target."""
        size = node.size if node.type == "file" else None
        is_alike = (self.kind, self.link_target) == (stat.S_IFMT(node.st_mode), node.link_target)
        return is_alike and (self.size_bytes, self.modified_ns) == (size, node.mtime_ns)


class NotWritten(Exception):
    """One file or directory cannot be written or read back; the others can."""

    def __init__(self, reason: str, *, has_replaced: bool = False) -> None:
        """`has_replaced`: what was in its place is gone nevertheless."""
        super().__init__(reason)
        self.reason = reason
        self.has_replaced = has_replaced


Write = Callable[[Iterator[bytes]], bool]
"""Writes what it was made for, by its content in pieces, none for anything but a file; whether something was there."""


class OpenDestination(Protocol):
    """A destination while a restore writes to it. Calls block.

    `existing`, `read` and what `writing` returns may run in as many threads at once as `writers` says, the other calls
    in one thread, in the order of the restore point. They raise `NotWritten` for what concerns one path, and
    `DestinationFull`, `DestinationRefused` or `DestinationUnreachable` where nothing more can be written at all.
    Nothing half written is ever left under its final name, also when the process dies.
    """

    @property
    def writers(self) -> int:
        """How many threads may write at once."""
        ...

    def existing(self, restored: RestoredNode) -> ExistingFile | None:
        """What is at the path now, a link not being followed; None for nothing. Asked of directories by a dry run."""
        ...

    def require_keepable(self, restored: RestoredNode) -> None:
        """Raise, before anything is written, what writing would: `NotWritten` for what cannot be kept there at all.

        Asked by a dry run of what it would write, directories too. It may miss what only writing tells.
        """
        ...

    def give_attributes(self, restored: RestoredNode) -> bool:
        """Give what is at the path the attributes that `writing` would; asked where `existing` is like the node.

        False where that cannot be done in place, so that it has to be written. Raises `NotWritten` as `writing` does.
        """
        ...

    def writing(self, restored: RestoredNode) -> Write:
        """What puts a file, a link or a special file in the place of whatever is there, but for a directory, which
        stays. It is called once, or not at all where the restore ends before.

        Of a file with several names only the first need be written: what knows the others does not ask for their
        content.
        """
        ...

    def write(self, restored: RestoredNode, pieces: Iterator[bytes]) -> bool:
        """Both at once."""
        ...

    def make_directory(self, restored: RestoredNode, *, keep_attributes: bool) -> bool:
        """Make sure that a directory is there; whether it was not. Called in pre-order: what is in it comes next.

        With `keep_attributes` a directory that is there already stays as it is.
        """
        ...

    def finish(self) -> None:
        """All is written: give directories the times that they should have."""
        ...

    def lacking(self) -> Sequence[tuple[bytes, str]]:
        """Directories in which all is written, by path, and what each had to do without, in words; told once."""
        ...

    def read(self, restored: RestoredNode) -> Iterator[bytes]:
        """The content of a file that was written, as the destination has it."""
        ...


@runtime_checkable
class Destination(Protocol):
    """Takes files back: to the place they came from, or to another one."""

    def open_destination(
        self, configuration: AppConfiguration, restore: RestoreRequest, *, on_log: OnLog, cancel: asyncio.Event
    ) -> AbstractAsyncContextManager[OpenDestination]:
        """The root of a destination, or of a source that gets its own files back; guarded as the root of a source is.

        What a lost attempt of the same job left unfinished is taken over. Calls that wait raise `Cancelled` soon after
        `cancel` is set. Raises `DestinationUnreachable`, `DestinationRefused`, `DestinationMissing` or `RootForbidden`.
        """
        ...
