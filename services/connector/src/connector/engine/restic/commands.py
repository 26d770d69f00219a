"""The command lines of restic, without what is common to all."""

from collections.abc import Sequence
from pathlib import Path

from connector.engine.places import SourceTree
from connector.engine.port import BackupOptions

CONFIG = ("cat", "config", "--no-lock")
INIT = ("init", "--repository-version", "2")
UNLOCK = ("unlock",)


def backup(source: SourceTree, options: BackupOptions, excludes: Sequence[str]) -> list[str]:
    """Run it in the source's directory: so the restore point begins with that directory's content."""
    arguments = ["backup", "--host", options.host, "--group-by", "host"]
    for tag in options.tags:
        arguments += ["--tag", tag]
    if options.compression != "auto":
        arguments += ["--compression", options.compression]
    for pattern in excludes:
        arguments += ["--exclude", pattern]
    if options.reread:
        arguments.append("--force")
    elif options.parent:
        arguments += ["--parent", options.parent]
    if not source.stable_inodes:
        arguments.append("--ignore-inode")
    return [*arguments, "."]


def restore(snapshot_id: str, target: Path) -> list[str]:
    """Write everything below `target`."""
    return ["restore", snapshot_id, "--target", str(target)]


def check(*, read_data: bool) -> list[str]:
    """Verify the structure, or with `read_data` every byte."""
    return ["check", "--read-data"] if read_data else ["check"]


def forget(snapshot_ids: Sequence[str], *, prune: bool) -> list[str]:
    """Remove snapshots by their full ids."""
    return ["forget", *(["--prune"] if prune else []), *snapshot_ids]


def snapshots(tags: Sequence[str]) -> list[str]:
    """Those that carry all the tags."""
    return ["snapshots", "--no-lock", *(["--tag", ",".join(tags)] if tags else [])]
