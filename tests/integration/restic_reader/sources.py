"""Directories full of the names and kinds of files that go wrong, from a seed."""

import os
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PATH_BYTES_MOST = 3500
ODD_NAMES = [
    b"new\nline",
    b"not-utf8-\xff\xfe\x80",
    b"\xed\xa0\x80 half a surrogate",
    b"\xef\xbf\xbd replacement",
    b"x" * 255,
    b"\xff" * 255,
    b"..foo",
    b"...",
    b"-rf",
    b" leading and trailing ",
    b"quo\"te's",
    b"back\\slash",
    rb"\xff is not a byte here",
    rb"\n",
    b"<html>&amp;",
    b"tab\tcr\rbell\a\x01\x1b\x7f",
    b"~*?[a-z]{b,c}$HOME;`id`",
    "\u00fcn\u00efc\u00f6d\u00e9 \u65e5\u672c\u8a9e \U0001f600".encode(),
    "u\u0308 not composed".encode(),
    "\u2028\u200b\u202e separators".encode(),
    "\U0010ffff\ue000".encode(),
    b".hidden",
    b"CON.txt",
    b"%2e%2e",
]


class Source:
    """Fills a directory; the same seed makes the same directory."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root = root
        self._chance = random.Random(seed)
        self._files: list[Path] = []

    def fill(self) -> None:
        """Every odd name as a file and as a directory, every kind of node, and a random tree."""
        for name in ODD_NAMES:
            self._file(self.root, name)
            self._file(self._directory(self.root, b"d" + name[1:]), name)
        self._special(self._directory(self.root, b"kinds"))
        self._dig(self._directory(self.root, b"deep"))
        self._grow(self._directory(self.root, b"random"), depth=4)
        self._relate(self._directory(self.root, b"related"))
        for path in self._files:  # long ago and far ahead, with odd nanoseconds
            os.utime(path, ns=(0, self._chance.randrange(-(10**18), 4 * 10**18)))

    def _dig(self, directory: Path) -> None:
        """Down as far as a path may reach."""
        name = self._chance.choice(ODD_NAMES)[:60]
        while len(os.fsencode(directory)) + 2 * len(name) < _PATH_BYTES_MOST:
            directory = self._directory(directory, name)
        self._file(directory, b"bottom")

    def _relate(self, directory: Path) -> None:
        """Equal contents, further names of files, links to anywhere, pipes and attributes, all at random."""
        for number in range(self._chance.randrange(5, 20)):
            place, other = directory / f"{number}", self._chance.choice(self._files)
            match self._chance.choice(["equal", "longer", "hard", "soft", "pipe", "marked"]):
                case "equal":
                    self._write(place, other.read_bytes())
                case "longer":
                    self._write(place, other.read_bytes() * 2 + b"!")
                case "hard":
                    place.hardlink_to(other)
                case "soft":
                    place.symlink_to(os.fsdecode(self._chance.choice(ODD_NAMES) + b"/" + os.fsencode(other)))
                case "pipe":
                    os.mkfifo(place)
                case "marked":
                    self._write(place, b"marked")
                    _mark(place, self._chance.randbytes(self._chance.choice([0, 1, 1500])))

    def _grow(self, directory: Path, *, depth: int) -> None:
        for number in range(self._chance.randrange(6)):
            self._file(directory, b"f%d-" % number + self._chance.choice(ODD_NAMES)[:200])
        for number in range(self._chance.randrange(4) if depth else 0):
            name = b"d%d-" % number + self._chance.choice(ODD_NAMES)[:200]
            self._grow(self._directory(directory, name), depth=depth - 1)

    def _special(self, directory: Path) -> None:
        self._directory(directory, b"empty")
        self._write(directory / "zero", b"")
        self._write(directory / "several-chunks", self._chance.randbytes(9_000_000))
        self._write(directory / "text", b"all work and no play\n" * 200_000)
        _sparse(directory / "sparse", 20_000_000)
        (directory / "hard link").hardlink_to(directory / "text")
        for name, target in [
            ("absolute", b"/etc/passwd"),
            ("relative", b"../..foo"),
            ("odd", b'no\n\xff"such\\target'),
            ("up", b"../../../.."),
        ]:
            (directory / f"link-{name}").symlink_to(os.fsdecode(target))
        os.mkfifo(directory / "fifo")
        for mode in (0o4755, 0o2750, 0o1777, 0o400, 0o600):
            path = directory / f"mode-{mode:o}"
            self._write(path, b"mode")
            path.chmod(mode)

    def _directory(self, parent: Path, name: bytes) -> Path:
        path = parent / os.fsdecode(name)
        path.mkdir(exist_ok=True)
        return path

    def _file(self, directory: Path, name: bytes) -> None:
        size = self._chance.choice([0, 1, 100, 5000, 100_000])
        self._write(directory / os.fsdecode(name), self._chance.randbytes(size))

    def _write(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        self._files.append(path)


def _mark(path: Path, value: bytes) -> None:
    with suppress(OSError):  # not every file system keeps attributes
        os.setxattr(path, "user.cairn.\u00fc", value)


def _sparse(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)
        file.seek(size // 2)
        file.write(b"in the middle")


def paths_below(root: Path) -> Iterator[bytes]:
    """Every path below a directory, however deep, with a slash in front and without the directory itself."""
    top = os.fsencode(root)
    left = [top]
    while left:
        with os.scandir(left.pop()) as entries:
            for entry in entries:
                yield entry.path[len(top) :]
                if entry.is_dir(follow_symlinks=False):
                    left.append(entry.path)
