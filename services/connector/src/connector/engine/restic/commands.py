"""The command lines of restic, without what is common to all."""

from collections.abc import Sequence

from integrations.sdk.locations import SourceTree

from connector.engine.port import BackupOptions

CONFIG = ("cat", "config", "--no-lock")
INIT = ("init", "--repository-version", "2")
UNLOCK = ("unlock",)


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
    return [*arguments, "."]


def placeholder(source: SourceTree, options: BackupOptions) -> list[str]:
    """A snapshot of one file with a line end in it, restic takes no empty ones, called like the source's directory."""
    return [*_marked_backup(options), "--stdin-filename", str(source.directory), "--stdin-from-command", "--", "echo"]


def rewrite_without(snapshot_id: str, pattern: str) -> list[str]:
    """Put a snapshot without what a pattern matches in the place of another one."""
    return ["rewrite", "--forget", "--exclude", pattern, snapshot_id]


def _marked_backup(options: BackupOptions) -> list[str]:
    tags = [argument for tag in options.tags for argument in ("--tag", tag)]
    level = [] if options.compression == "auto" else ["--compression", options.compression]
    # By host alone: the path that a source is read at is another one whenever it is mounted or copied elsewhere.
    return ["backup", "--host", options.host, "--group-by", "host", *tags, *level]


def check(read_percent: float) -> list[str]:
    """Verify the structure, and read a share of the data."""
    if read_percent >= 100:
        return ["check", "--read-data"]
    return ["check", f"--read-data-subset={read_percent:g}%"] if read_percent else ["check"]


def forget(snapshot_ids: Sequence[str], *, prune: bool) -> list[str]:
    """Remove snapshots by their full ids."""
    return ["forget", *(["--prune"] if prune else []), *snapshot_ids]


def snapshots(tags: Sequence[str]) -> list[str]:
    """Those that carry all the tags."""
    return ["snapshots", "--no-lock", *(["--tag", ",".join(tags)] if tags else [])]
