"""The command lines of restic, without what is common to all."""

import re
from collections.abc import Sequence

from contracts.messages.connector.stores import Compression
from integrations.sdk.locations import SourceTree, StoreLocation

from connector.engine.port import BackupOptions, Share

CONFIG = ("cat", "config", "--no-lock")
INIT = ("init", "--repository-version", "2")
LOCKS = ("list", "locks", "--no-lock")
SNAPSHOT_IDS = ("list", "snapshots", "--no-lock")
"""By the names of their files: `snapshots` leaves out those that it cannot read."""
UNLOCK = ("unlock",)
REPAIR_INDEX = ("repair", "index")
LOCK_BRIEFLY = ("list", "keys")
"""Takes a lock that keeps nobody out but those who need the store for themselves, and removes it."""
_BACKEND = re.compile(r"(?P<name>azure|b2|gs|rclone|rest|s3|sftp|swift):")


def backup(source: SourceTree, options: BackupOptions, excludes: Sequence[str]) -> list[str]:
    """Run it in the source's directory: so the restore point begins with that directory's content."""
    arguments = _marked_backup(options)
    for pattern in excludes:
        arguments += ["--exclude", pattern]
    if options.reread:
        arguments.append("--force")
    elif options.parent:
        arguments += ["--parent", options.parent]
    if not source.stable_inodes:
        arguments.append("--ignore-inode")
    if options.one_file_system:
        arguments.append("--one-file-system")
    if options.concurrency:
        arguments += ["--read-concurrency", str(options.concurrency)]
    return [*arguments, "."]


def placeholder(source: SourceTree, options: BackupOptions) -> list[str]:
    """A snapshot of one file with a line end in it, restic takes no empty ones, called like the source's directory."""
    return [*_marked_backup(options), "--stdin-filename", str(source.directory), "--stdin-from-command", "--", "echo"]


def rewrite_without(snapshot_id: str, pattern: str) -> list[str]:
    """Put a snapshot without what a pattern matches in the place of another one."""
    return ["rewrite", "--forget", "--exclude", pattern, snapshot_id]


def _marked_backup(options: BackupOptions) -> list[str]:
    tags = [argument for tag in options.tags for argument in ("--tag", tag)]
    # By host alone: the path that a source is read at is another one whenever it is mounted or copied elsewhere.
    return ["backup", "--host", options.host, "--group-by", "host", *tags, *_level(options.compression)]


def init_like(naming: Sequence[str]) -> list[str]:
    """Make a repository that divides files as another one does, which the arguments in `naming` name."""
    return [*INIT, "--copy-chunker-params", *naming]


def copy(snapshot_ids: Sequence[str], naming: Sequence[str], *, compression: Compression) -> list[str]:
    """Copy snapshots by their full ids, from the repository that the arguments in `naming` name."""
    # Verbose: restic tells sizes only then.
    return ["copy", "--verbose", *_level(compression), *naming, *snapshot_ids]


def check(read_percent: float, share: Share | None = None) -> list[str]:
    """Verify the structure, and read a part of the data."""
    if share is not None:
        return ["check", f"--read-data-subset={share.number}/{share.of}"]
    if read_percent >= 100:
        return ["check", "--read-data"]
    return ["check", f"--read-data-subset={read_percent:g}%"] if read_percent else ["check"]


def forget(store: StoreLocation, snapshot_ids: Sequence[str]) -> list[str]:
    """Remove snapshots by their full ids, one after the other."""
    # restic 0.19 crashes, and leaves its lock, where a store refuses to delete several at once (`concurrent map writes`
    # in `runForget`); each connection deletes one at a time.
    return ["forget", "--option", f"{_backend(store)}.connections=1", *snapshot_ids]


def prune(*, repack: bool) -> list[str]:
    """Delete data that is not used."""
    return ["prune", *([] if repack else ["--max-unused", "unlimited"])]


def _backend(store: StoreLocation) -> str:
    found = _BACKEND.match(store.address)
    return found["name"] if found else "local"


def snapshots(tags: Sequence[str]) -> list[str]:
    """Those that carry all the tags."""
    return ["snapshots", "--no-lock", *(["--tag", ",".join(tags)] if tags else [])]


def _level(compression: Compression) -> list[str]:
    return [] if compression == "auto" else ["--compression", compression]
