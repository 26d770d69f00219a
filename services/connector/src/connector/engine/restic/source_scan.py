"""Walks a source and tells what an engine leaves out without a word. Run as a script: it imports nothing of ours.

In the source's directory, with a JSON object (`root`: the directory as patterns know it; `guarded`: pairs of device and
inode; `one_file_system`; `listing`: a descriptor) and patterns of restic's as arguments. Writes a JSON object a line:
`path` within the source, and `kind`, one of `socket`, `guarded`, `mount`, `removed` and `lost` (listed and not there,
by now or at all). What cannot be read otherwise is passed over: the engine itself names that.

What should be in a restore point is listed in the file of the descriptor (see `connector.engine.source_listing`). The
last line of the output has the number of plain files in it, as `path` of the kind `listed`, unless it could not be
written.
"""

import json
import os
import re
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from itertools import chain

NAMES_TOGETHER = 100_000
_GONE = "gone"
_LOOKS = 5
Rejects = Callable[[str], bool]


def main() -> int:
    """Walk, and say what there is."""
    task = json.loads(sys.argv[1])
    listing = Listing(task["listing"])
    walk = Walk(
        task["root"].rstrip("/"),
        rejects=rejecter(sys.argv[2:]),
        guarded={tuple(each) for each in task["guarded"]},
        one_file_system=task["one_file_system"],
        on_listed=listing.add,
    )
    for kind, path in chain(walk.run(), listing.ending()):
        sys.stdout.write(json.dumps({"kind": kind, "path": path}) + "\n")
        sys.stdout.flush()
    return 0


class Listing:
    """What should be in a restore point, written to an open file. Where that fails, there is none."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pack = zlib.compressobj(1)
        self._files = 0
        self._is_whole = True

    def add(self, directory: str, entries: list[str]) -> None:
        """Some entries of a directory, as the words that stand for them."""
        self._files += sum(word[0] == "f" for word in entries)
        self._write(self._pack.compress(os.fsencode("\0".join((directory or "/", *entries)) + "\0")))

    def ending(self) -> Iterator[tuple[str, str]]:
        """What is said of it at the end."""
        self._write(self._pack.flush())
        if self._is_whole:
            yield "listed", str(self._files)

    def _write(self, packed: bytes) -> None:
        try:
            while packed and self._is_whole:
                packed = packed[os.write(self._descriptor, packed) :]
        except OSError:
            self._is_whole = False


class Walk:
    """A walk through the directory that the process is in."""

    def __init__(
        self,
        root: str,
        *,
        rejects: Rejects,
        guarded: set[tuple[int, int]],
        one_file_system: bool = False,
        on_listed: Callable[[str, list[str]], None] = lambda *_: None,
        names_together: int = NAMES_TOGETHER,
    ) -> None:
        self._root = root
        self._rejects = rejects
        self._on_listed = on_listed
        self._names_together = names_together
        self._listed: list[str] = []
        self._guarded = guarded
        self._inodes = {inode for _, inode in guarded}
        self._device = os.stat(".").st_dev if one_file_system else None  # noqa: PTH116 - pathlib takes 5 ms to import.
        self._open: list[str] = []
        self._missing: dict[str, list[str]] = {}

    def run(self) -> Iterator[tuple[str, str]]:
        """What is found: its kind, and its path within the source."""
        self._open = [""]
        while self._open:
            directory = self._open.pop()
            try:
                with os.scandir(f".{directory}") as entries:
                    for entry in entries:
                        if self._is_plain(entry):
                            self._note_plain(entry, directory)
                        else:
                            yield from self._look_at(entry, f"{directory}/{entry.name}")
                        if len(self._listed) >= self._names_together:
                            self._hand_on(directory)
            except FileNotFoundError:
                self._miss(directory)
            except OSError:
                pass
            self._hand_on(directory)
        for parent, names in self._missing.items():
            yield from self._look_again(parent, names)

    def _note_plain(self, entry: "os.DirEntry[str]", directory: str) -> None:
        """List a file or a link; its status is read once."""
        path = f"{directory}/{entry.name}"
        try:
            facts = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            self._miss(path)
            return
        except OSError:  # The engine itself names that.
            facts = None
        self._list(entry, path, facts)

    def _look_at(self, entry: "os.DirEntry[str]", path: str) -> Iterator[tuple[str, str]]:
        """Judge a directory, a special file, or what may be guarded or on another file system."""
        if entry.is_dir(follow_symlinks=False):
            kind = "" if self._rejects(self._root + path) else self._kind_of(entry)
            if kind is None:
                self._listed.append(_word("d", entry.name, _status(entry)))
                self._open.append(path)
        else:
            kind = self._kind_of(entry)
            if kind and self._rejects(self._root + path):
                return
            if kind is None:
                self._list(entry, path, _status(entry))
        if kind == _GONE:
            self._miss(path)
        elif kind:
            yield kind, path

    def _list(self, entry: "os.DirEntry[str]", path: str, facts: os.stat_result | None) -> None:
        if not self._rejects(self._root + path):
            self._listed.append(_word("f" if entry.is_file(follow_symlinks=False) else "o", entry.name, facts))

    def _hand_on(self, directory: str) -> None:
        if self._listed:
            self._on_listed(directory, self._listed)
            self._listed = []

    def _miss(self, path: str) -> None:
        """Note what was listed and is not there, which no engine tells."""
        parent, _, name = path.rpartition("/")
        if path and not self._rejects(self._root + path):
            self._missing.setdefault(parent, []).append(name)

    def _look_again(self, parent: str, names: list[str]) -> Iterator[tuple[str, str]]:
        """Whether what was missing was removed meanwhile or cannot be had; a directory is listed once for all of it.

        Names that come and go (of locks, say) may be met twice just before they go: such are looked at some more times.
        """
        missing = names
        for _ in range(_LOOKS):
            if not missing:
                return
            listed = _names_in(f".{parent}")
            yield from (("removed", f"{parent}/{name}") for name in missing if name not in listed)
            missing = [name for name in missing if name in listed and not os.path.lexists(f".{parent}/{name}")]
        yield from (("lost", f"{parent}/{name}") for name in missing)

    def _is_plain(self, entry: "os.DirEntry[str]") -> bool:
        """Whether it is a file or a link that nothing more need be asked about; the kernel told its type already."""
        is_file = entry.is_file(follow_symlinks=False) or entry.is_symlink()
        return is_file and self._device is None and entry.inode() not in self._inodes

    def _kind_of(self, entry: "os.DirEntry[str]") -> str | None:
        try:
            facts = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return _GONE
        except OSError:
            return ""
        if (facts.st_dev, facts.st_ino) in self._guarded:
            return "guarded"
        if self._device not in (None, facts.st_dev):
            return "mount"
        return "socket" if stat.S_ISSOCK(facts.st_mode) else None


def _word(kind: str, name: str, facts: os.stat_result | None) -> str:
    """An entry with what tells it from another one that has its name later on."""
    return f"{kind}{facts.st_ino:x}.{facts.st_mtime_ns:x}.{name}" if facts else f"{kind}..{name}"


def _status(entry: "os.DirEntry[str]") -> os.stat_result | None:
    """It was asked for before, and is kept by the entry."""
    try:
        return entry.stat(follow_symlinks=False)
    except OSError:
        return None


def _names_in(directory: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(directory))  # noqa: PTH208
    except OSError:
        return frozenset()


def rejecter(patterns: list[str]) -> Rejects:
    """Whether restic leaves out a path, judged by patterns as it understands them (its manual, "Excluding Files")."""
    rules = [(pattern.startswith("!"), _rule(pattern.removeprefix("!"))) for pattern in patterns]

    def rejects(path: str) -> bool:
        rejected = False
        for takes_in, rule in rules:
            if rejected is takes_in and rule.search(path):
                rejected = not takes_in
        return rejected

    return rejects


def _rule(pattern: str) -> re.Pattern[str]:
    """One pattern; nothing matches a malformed one, which restic refuses."""
    try:
        return re.compile(_expression(pattern))
    except re.error:
        return re.compile(r"(?!)")


def _expression(pattern: str) -> str:
    """A pattern as a regular expression; it means what it matches and all below that."""
    plain = os.path.normpath(pattern)
    begin = r"\A" if plain.startswith("/") else ""
    parts = plain.strip("/").split("/")
    return begin + "".join(r"(?:/[^/]+)*" if part == "**" else "/" + _glob(part) for part in parts) + r"(?:/|\Z)"


def _glob(part: str) -> str:
    """One name with wildcards. What a `*` before the last one has found stays: no name takes long to judge."""
    first, *others = _between_stars(part)
    if not others:
        return first
    *inner, last = others
    return first + "".join(f"(?>[^/]*?{made})" for made in inner if made) + "[^/]*" + last


def _between_stars(part: str) -> list[str]:
    """What stands before, between and after the `*` of a name."""
    made, rest = [""], part
    while rest:
        sign, rest = rest[0], rest[1:]
        if sign == "*":
            made.append("")
        elif sign == "?":
            made[-1] += "[^/]"
        elif sign == "[" and "]" in rest[1:]:
            inside, rest = _one_of(rest)
            made[-1] += inside
        elif sign == "\\" and rest:
            made[-1], rest = made[-1] + re.escape(rest[0]), rest[1:]
        else:
            made[-1] += re.escape(sign)
    return made


def _one_of(rest: str) -> tuple[str, str]:
    """A set of characters after its `[`, and what follows its `]`."""
    negates = rest.startswith("^")
    made, rest = "", rest[1:] if negates else rest
    while rest and not (made and rest[0] == "]"):
        if rest[0] == "\\" and len(rest) > 1:
            made, rest = made + re.escape(rest[1]), rest[2:]
        else:
            made, rest = made + (rest[0] if rest[0] == "-" and made else re.escape(rest[0])), rest[1:]
    return f"[{'^/' if negates else ''}{made}]", rest[1:]


if __name__ == "__main__":
    sys.exit(main())
