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
        self._writer = writer
        self._chance = random.Random(5)
        self._contents = [(writer.data(bytes([n]) * (n + 1)), n + 1) for n in range(_CONTENTS)]
        self._inode = 1_000_000

    def file(self, number: int) -> str:
        content, size = self._chance.choice(self._contents)
        name = f"document-{number:08}-{self._chance.getrandbits(24):06x}.dat"
        return _FILE.format(name=name, size=size, content=content, **self._facts())

    def directory(self, number: int, subtree: str) -> str:
        return _DIR.format(name=f"area-{number:08}", subtree=subtree, **self._facts())

    def flat(self, entries: int) -> str:
        """A directory with so many files."""
        return self._writer.tree(self.file(number) for number in range(entries))

    def deep(self, directories: int) -> str:
        """So many directories of ten entries each, up to two of them directories."""
        below = directories - 1
        shares = [share for share in (below // 2, below - below // 2) if share]
        children = [self.directory(number, self.deep(share)) for number, share in enumerate(shares)]
        return self._writer.tree([*children, *(self.file(number) for number in range(10 - len(children)))])

    def _facts(self) -> dict[str, object]:
        self._inode += 1
        drawn = self._chance.getrandbits(60)
        nanoseconds, seconds = drawn % 1_000_000_000, drawn // 1_000_000_000 % 60
        mtime = f"2026-10-{drawn % 28 + 1:02}T12:{drawn % 60:02}:{seconds:02}.{nanoseconds:09}+02:00"
        return {"mtime": mtime, "ctime": f"{mtime[:-10]}1234+02:00", "inode": self._inode}


def write_flat(root: Path, password: str, *, entries: int) -> str:
    """A repository with one snapshot: files in one directory. Its id."""
    with RepositoryWriter(root, password) as writer:
        return writer.snapshot(_Nodes(writer).flat(entries))


def write_deep(root: Path, password: str, *, entries: int) -> str:
    """A repository with one snapshot: ten entries a directory, up to two of them directories. Its id."""
    with RepositoryWriter(root, password) as writer:
        return writer.snapshot(_Nodes(writer).deep(max(1, entries // 10)))


def write_both(root: Path, password: str, *, entries: int) -> str:
    """A repository with one snapshot: one half of the entries in one directory, the other in deep trees. Its id."""
    with RepositoryWriter(root, password) as writer:
        nodes = _Nodes(writer)
        halves = nodes.deep(entries // 20), nodes.flat(entries // 2)
        return writer.snapshot(writer.tree(nodes.directory(n, half) for n, half in enumerate(halves)))
