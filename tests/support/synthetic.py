"""Restore points of any number of entries that nobody ever had to create as files."""

import random
from pathlib import Path

from tests.support.repository_writer import RepositoryWriter

_CONTENTS = 64
_OWNER = '"uid":1000,"gid":1000,"user":"someone","group":"people","device_id":65025'
_FILE = (
    '{{"name":"{name}","type":"file","mode":420,"mtime":"{mtime}","atime":"{mtime}","ctime":"{ctime}",'
    + _OWNER
    + ',"inode":{inode},"size":{size},"links":1,"content":["{content}"]}}'
)
_DIR = (
    '{{"name":"{name}","type":"dir","mode":2147484141,"mtime":"{mtime}","atime":"{mtime}","ctime":"{mtime}",'
    + _OWNER
    + ',"inode":{inode},"content":null,"subtree":"{subtree}"}}'
)


class _Nodes:
    """Makes up nodes that look like those of a file system."""

    def __init__(self, writer: RepositoryWriter) -> None:
        self._chance = random.Random(5)
        self._contents = [(writer.data(bytes([n]) * (n + 1)), n + 1) for n in range(_CONTENTS)]
        self._inode = 1_000_000

    def file(self, number: int) -> str:
        content, size = self._chance.choice(self._contents)
        name = f"document-{number:08}-{self._chance.getrandbits(24):06x}.dat"
        return _FILE.format(name=name, size=size, content=content, **self._facts())

    def directory(self, number: int, subtree: str) -> str:
        return _DIR.format(name=f"area-{number:08}", subtree=subtree, **self._facts())

    def _facts(self) -> dict[str, object]:
        self._inode += 1
        drawn = self._chance.getrandbits(60)
        nanoseconds, seconds = drawn % 1_000_000_000, drawn // 1_000_000_000 % 60
        mtime = f"2026-10-{drawn % 28 + 1:02}T12:{drawn % 60:02}:{seconds:02}.{nanoseconds:09}+02:00"
        return {"mtime": mtime, "ctime": f"{mtime[:-10]}1234+02:00", "inode": self._inode}


def write_flat(root: Path, password: str, *, entries: int) -> str:
    """A repository with one snapshot: files in one directory. Its id."""
    with RepositoryWriter(root, password) as writer:
        nodes = _Nodes(writer)
        return writer.snapshot(writer.tree(nodes.file(number) for number in range(entries)))


def write_deep(root: Path, password: str, *, entries: int) -> str:
    """A repository with one snapshot: ten entries a directory, up to two of them directories. Its id."""
    with RepositoryWriter(root, password) as writer:
        nodes = _Nodes(writer)

        def tree(directories: int) -> str:
            first, second = (directories - 1) // 2, (directories - 1) - (directories - 1) // 2
            below = [nodes.directory(number, tree(share)) for number, share in enumerate((first, second)) if share]
            return writer.tree([*below, *(nodes.file(number) for number in range(10 - len(below)))])

        return writer.snapshot(tree(max(1, entries // 10)))
