"""What integrations hand to the engine: where a repository is, and which files are to be backed up."""

import os
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from integrations.sdk.text import one_line


@dataclass(frozen=True, kw_only=True)
class StoreLocation:
    """Where a repository is and what opens it. Its `repr` shows no secret."""

    address: str
    """An absolute path, or `s3:https://host:port/bucket/prefix`; holds no secret."""
    passphrase: str = field(default="", repr=False)
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Environment variables for the engine; their values are secret."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables for the engine that everybody may know."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Backend options, e.g. `s3.bucket-lookup` to `path`."""
    insecure_tls: bool = False
    local_path: Path | None = None
    """Set for a store on this machine: it is left out of backups of a tree around it."""
    named_path: Path | None = None
    """`local_path` as the store is configured: links on it are not followed."""
    alternative: "StoreLocation | None" = None
    """Another way to the same repository, by other variables and options: for a process that reaches a second store of
    the same kind, but with keys or options of its own, in the usual way."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Values that must not show up in any text."""
        return tuple(value for value in (self.passphrase, *self.credentials.values()) if value)


@dataclass(frozen=True)
class UnreadablePath:
    """Something that should be in a restore point and is not."""

    path: str
    """Absolute within the source, `/` being its root; bytes that are no UTF-8 are escaped. Of an object: its key."""
    reason: str
    code: str = ""
    """Says the reason to programs, where it is one that Cairn knows."""

    @property
    def in_words(self) -> str:
        """Both on one line, since names may hold anything."""
        return one_line(f"{self.path} ({self.reason_in_words})")

    @property
    def as_line(self) -> str:
        """The same as a line of a log."""
        return one_line(f"{self.path}: {self.reason_in_words}")

    @property
    def reason_in_words(self) -> str:
        """The reason, after its code if it has one."""
        return f"{self.code}: {self.reason}" if self.code else self.reason


class SavedFile(NamedTuple):
    """A file as a restore point has it."""

    path: str
    """Within the source, without a slash in front; bytes that are no UTF-8 as surrogate escapes."""
    size_bytes: int
    modified_ns: int


class SourceComparison(Protocol):
    """What a source knows of its files beyond what their sizes and times tell.

    Calls block, but for `explain` and `differences`.
    """

    def parent_in(self, store_id: str) -> str | None:
        """The snapshot in a store that files may be compared with by size and time; None: they must all be read."""
        ...

    def keep(self, store_id: str, snapshot_id: str) -> None:
        """Remember what a snapshot was made of, for the next one in this store."""
        ...

    def adds_up(self, *, files: int, size_bytes: int) -> bool:
        """Whether a snapshot of so much holds all that was listed, and nothing else."""
        ...

    def take_in(self, saved: Iterable[SavedFile]) -> None:
        """Note all files that a snapshot has, for `differences`."""
        ...

    def differences(
        self,
        named: Sequence[UnreadablePath],
        *,
        is_left_out: Callable[[str], bool],
        on_log: Callable[[Literal["info", "warning", "error"], str], None],
    ) -> AsyncIterator[UnreadablePath]:
        """Files of the snapshot that are not what the source has, and those it lacks that are not `named` yet.

        `is_left_out` says of a path within the source, `/` being its root, whether that was done on purpose. What
        the source has by now is asked of it again, and where that is what arrived, `keep` keeps it so. Files that were
        removed meanwhile are logged. Raises `Cancelled` once the run is.
        """
        ...

    async def explain(self, problems: Sequence[UnreadablePath]) -> tuple[UnreadablePath, ...]:
        """The same problems in the same order, with the source's own reasons where it has some. Raises `Cancelled`."""
        ...


FileIdentity = tuple[int, int]
"""Device and inode of a file or directory of this machine."""


@dataclass(frozen=True, kw_only=True)
class SourceTree:
    """A directory of this machine that shows the files of a source, for as long as its context is open."""

    directory: Path
    held: int | None = None
    """A descriptor of the directory, open as long as the context: another one at its path is not the source."""
    origin: str = ""
    """Where the files really are, for people: `/srv/data`, `s3://bucket/prefix`."""
    excludes: tuple[Path, ...] = ()
    """Absolute paths in the directory that are never part of a backup."""
    hollow: tuple[Path, ...] = ()
    """Absolute paths in the directory of which a backup has no more than themselves: nothing that is in them."""
    guarded: frozenset[FileIdentity] = frozenset()
    """What is never part of a backup, whatever its name."""
    is_still_guarded: Callable[[os.stat_result], bool] = lambda _: True
    """Of a file with an identity that is guarded: its inode may be another file's by now. Blocks."""
    is_surely_own: Callable[[os.stat_result], bool] = lambda _: True
    """Of what is still guarded: False where it may be another's all the same. Blocks."""
    guarded_first: bool = False
    """Whether some of it is known to have another name, so that it is looked for before anything is read."""
    is_surveyed: bool = False
    """Whether it may hold what an engine leaves out without a word: true of what was not made by an integration."""
    stable_inodes: bool = True
    """False where a file may have another inode each time, so that only size and time tell a change."""
    problems: Collection[UnreadablePath] = ()
    """What could not be brought into the directory, each once; read while the context is open."""
    comparison: SourceComparison | None = None
    """None where size, time, inode and change time of the files in the directory tell every change."""

    @property
    def read_path(self) -> Path:
        """A path by which a child gets into the directory, whatever its own path leads to by now."""
        return self.directory if self.held is None else Path(f"/proc/self/fd/{self.held}")

    @property
    def is_in_place(self) -> bool:
        """Whether the directory is still what its path leads to. Blocks."""
        if self.held is None:
            return True
        try:
            # By inode: a directory that was moved away and replaced has the same path.
            return os.path.samestat(os.fstat(self.held), self.directory.lstat())
        except OSError:
            return False
