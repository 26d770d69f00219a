"""Paths inside a restore point. Names are bytes; what is shown of them is text that can be given back as a path."""

import re
from collections.abc import Iterator, Sequence
from itertools import product

from chassis.errors import Invalid

_SHOWN_BYTE = re.compile(rb"\\x[89a-f][0-9a-f]")
_GUESSES_FOR = 8


def parse_path(raw: bytes) -> list[bytes]:
    """The names that lead from the root to what a path means; none for the root itself.

    Raises `Invalid` (`path_invalid`) unless it is absolute and without empty, `.` and `..` parts; one slash may follow.
    """
    if not raw.startswith(b"/"):
        raise Invalid("path_invalid", "A path must begin with a slash.")
    parts = raw[1:].split(b"/")
    if parts[-1] == b"":
        parts.pop()
    if any(part in (b"", b".", b"..") or b"\x00" in part for part in parts):
        raise Invalid("path_invalid", "A path must not have empty parts, `.`, `..` or a NUL in it.")
    return parts


def show(name: bytes) -> str:
    r"""A name as text: bytes that are not UTF-8 become `\xff`."""
    return name.decode("utf-8", "backslashreplace")


def show_path(names: Sequence[bytes]) -> str:
    """An absolute path as text."""
    return "/" + "/".join(map(show, names))


def readings(part: bytes) -> Iterator[bytes]:
    r"""The names that a part of a path may mean, most likely first: its bytes; then names that are shown like it."""
    yield part
    places = [found.span() for found in _SHOWN_BYTE.finditer(part)]
    choices = [(True, False)] * len(places) if len(places) <= _GUESSES_FOR else [(True,)] * len(places)
    for chosen in product(*choices) if places else ():
        name = _with_bytes(part, [place for place, take in zip(places, chosen, strict=True) if take])
        if name != part and show(name).encode() == part:
            yield name


def _with_bytes(part: bytes, places: Sequence[tuple[int, int]]) -> bytes:
    pieces, reached = [], 0
    for start, end in places:
        pieces += [part[reached:start], bytes.fromhex(part[start + 2 : end].decode())]
        reached = end
    return b"".join([*pieces, part[reached:]])


def without_prefix(names: Sequence[bytes], source_path: str) -> list[bytes] | None:
    """The rest of a path that begins with where the files were on the source; None when it does not."""
    prefix = [part for part in source_path.encode(errors="replace").split(b"/") if part]
    if not prefix or list(names[: len(prefix)]) != prefix:
        return None
    return list(names[len(prefix) :])
