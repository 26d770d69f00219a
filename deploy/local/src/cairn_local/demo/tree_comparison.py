"""Compares a restored directory with its source, property by property."""

import filecmp
import os
import stat
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

COMPARED = "content, mode, owner, time, targets of links, extended attributes"
_KINDS = {stat.S_IFREG: "files", stat.S_IFDIR: "directories", stat.S_IFLNK: "symbolic links"}
Entries = dict[str, os.stat_result]


@dataclass
class TreeComparison:
    """What came of comparing two trees."""

    equal: Counter[str] = field(default_factory=Counter)
    """How many entries of each kind are alike."""
    different: list[str] = field(default_factory=list)
    """What differs, in words."""
    changed: int = 0
    """Entries that were changed at the source since the backup began, so that nothing follows from a difference."""

    def in_words(self) -> str:
        """In one line: `3 files, 2 directories: content, ... equal`."""
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in self.equal.items())
        changed = f"; {self.changed} changed at the source meanwhile" if self.changed else ""
        return f"{kinds}: {COMPARED} equal{changed}"


def compare_trees(source: Path, restored: Path, *, ignores: Collection[str], since_ns: int) -> TreeComparison:
    """Compare what is below two directories, without entries of the source that have a name of `ignores`.

    A difference counts only where the entry of the source was not changed since `since_ns` (Unix time).
    """
    result, ours, theirs = TreeComparison(), _entries(source, ignores), _entries(restored)
    for path, there in sorted(ours.items()):
        found = theirs.pop(path, None)
        faults = ["is missing"] if found is None else list(_differences(source / path, there, restored / path, found))
        if not faults:
            result.equal[_KINDS.get(stat.S_IFMT(there.st_mode), "special files")] += 1
        elif _changed_since(source / path, since_ns):
            result.changed += 1
        else:
            result.different.append(f"{path} {', '.join(faults)}")
    for path in theirs:
        # Its directory was changed when it was removed there.
        if _changed_since((source / path).parent, since_ns):
            result.changed += 1
        else:
            result.different.append(f"{path} is not in the source")
    return result


def _entries(root: Path, ignores: Collection[str] = ()) -> Entries:
    """What is below a directory by relative path, without sockets, of which no restore point has any."""
    found: Entries = {}
    directories = [root]
    while directories:
        with os.scandir(directories.pop()) as entries:
            for entry in entries:
                if entry.name in ignores or stat.S_ISSOCK((facts := entry.stat(follow_symlinks=False)).st_mode):
                    continue
                found[os.path.relpath(entry.path, root)] = facts
                if stat.S_ISDIR(facts.st_mode):
                    directories.append(Path(entry.path))
    return found


def _differences(source: Path, ours: os.stat_result, restored: Path, theirs: os.stat_result) -> Iterator[str]:
    if ours.st_mode != theirs.st_mode:
        yield f"has the mode {stat.filemode(theirs.st_mode)}, not {stat.filemode(ours.st_mode)}"
    if (ours.st_uid, ours.st_gid) != (theirs.st_uid, theirs.st_gid):
        yield "has another owner"
    if ours.st_mtime_ns != theirs.st_mtime_ns:
        yield "has another time"
    if _attributes(source) != _attributes(restored):
        yield "has other extended attributes"
    if stat.S_ISLNK(ours.st_mode) and stat.S_ISLNK(theirs.st_mode) and source.readlink() != restored.readlink():
        yield "leads elsewhere"
    both_files = stat.S_ISREG(ours.st_mode) and stat.S_ISREG(theirs.st_mode)
    if both_files and not filecmp.cmp(source, restored, shallow=False):
        yield "has other content"


def _attributes(path: Path) -> dict[str, bytes]:
    if not hasattr(os, "listxattr"):
        return {}
    try:
        names = os.listxattr(path, follow_symlinks=False)
        return {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
    except OSError:  # The file system has none.
        return {}


def _changed_since(path: Path, moment_ns: int) -> bool:
    """Whether an entry was changed since, or is gone."""
    try:
        return path.lstat().st_ctime_ns >= moment_ns
    except OSError:
        return True
