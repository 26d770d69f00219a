"""What integrations hand to the engine: where a repository is, and which files are to be backed up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from connector.domain import one_line


@dataclass(frozen=True, kw_only=True)
class StoreLocation:
    """Where a repository is and what opens it. Its `repr` shows no secret."""

    address: str
    """An absolute path, or `s3:https://host:port/bucket/prefix`; holds no secret."""
    passphrase: str = field(default="", repr=False)
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Environment variables for the engine; their values are secret."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Backend options, e.g. `s3.bucket-lookup` to `path`."""
    insecure_tls: bool = False
    local_path: Path | None = None
    """Set for a store on this machine: it is left out of backups of a tree around it."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Values that must not show up in any text."""
        return tuple(value for value in (self.passphrase, *self.credentials.values()) if value)


@dataclass(frozen=True)
class UnreadablePath:
    """Something that should be in a restore point and is not."""

    path: str
    """Absolute within the source, `/` being its root; bytes that are no UTF-8 are escaped."""
    reason: str

    @property
    def in_words(self) -> str:
        """Both on one line, since names may hold anything."""
        return one_line(f"{self.path} ({self.reason})")


@dataclass(frozen=True, kw_only=True)
class SourceTree:
    """A directory of this machine that shows the files of a source, for as long as its context is open."""

    directory: Path
    origin: str = ""
    """Where the files really are, for people: `/srv/data`, `s3://bucket/prefix`."""
    excludes: tuple[Path, ...] = ()
    """Absolute paths in the directory that are never part of a backup."""
    stable_inodes: bool = True
    """False where a file may have another inode each time, so that only size and time tell a change."""
    problems: tuple[UnreadablePath, ...] = ()
    """What could not be brought into the directory."""
