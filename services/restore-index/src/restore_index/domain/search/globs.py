"""Patterns of names and paths: `*`, `?`, `[...]`, and `**` between slashes. Matching takes linear time and a bit.

Patterns and what they are compared with are folded (`domain.case_folding`). A backslash is itself, as in bytes that are
shown as `\\xff`; a star or a question mark that is one stands in brackets: `[*]`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

_CLASS = re.compile(r"\[([!^]?)(\][^\]]*|[^\]]+)\]")
_RANGE = re.compile(r"(.)-(.)|(.)", re.DOTALL)


class _Sign(NamedTuple):
    """A part of a pattern that stands for one character; `literal` when it is this very one."""

    regex: str
    literal: str = ""


_ANY = _Sign(".")


@dataclass(frozen=True)
class NameGlob:
    """A pattern of a name. Each of `literals` is in the text of every name that matches, which has a NUL at each end.

    `least` is how many characters such a name has at least: what is shorter is not even tried.
    """

    regex: re.Pattern[str]
    literals: tuple[bytes, ...]
    least: int

    def matches(self, name: str) -> bool:
        """Whether a folded name is meant."""
        return len(name) >= self.least and self.regex.match(name) is not None


@dataclass(frozen=True)
class PathGlob:
    """A pattern of a path, part by part; None stands for any number of parts.

    How far a path has come is a set of places in the pattern, as the bits of an integer; 0 means that nothing below
    can match.
    """

    parts: tuple[NameGlob | None, ...]

    @property
    def name(self) -> NameGlob | None:
        """What the last part of a path that matches is like."""
        return self.parts[-1]

    def start(self) -> int:
        """Where all paths begin."""
        return self._skip(1)

    def step(self, places: int, name: str) -> int:
        """Where a path stands after one more part."""
        reached = 0
        for place, part in enumerate(self.parts):
            if places >> place & 1:
                if part is None:
                    reached |= 1 << place
                elif part.matches(name):
                    reached |= 1 << place + 1
        return self._skip(reached)

    def accepts(self, places: int) -> bool:
        """Whether a path that stands there matches."""
        return bool(places >> len(self.parts) & 1)

    def may_end(self, places: int) -> bool:
        """Whether one more part may make a path match that stands there; the last part is never `**`."""
        return bool(places >> len(self.parts) - 1 & 1)

    def _skip(self, places: int) -> int:
        for place, part in enumerate(self.parts):
            if part is None and places >> place & 1:
                places |= 1 << place + 1
        return places


def name_glob(pattern: str) -> NameGlob:
    """A pattern of a name, folded already."""
    pieces = [list(_signs(piece)) for piece in re.split(r"\*+", _guarded(pattern))]
    first, *others = ["".join(sign.regex for sign in piece) for piece in pieces]
    *middle, last = others or [""]
    # Atomic groups: what a star has matched is never tried again, so matching takes linear time.
    regex = first + "".join(f"(?>.*?{piece})" for piece in middle) + (f".*{last}" if others else "") + r"\Z"
    return NameGlob(re.compile(regex, re.DOTALL), tuple(_literals(pieces)), sum(map(len, pieces)))


def path_glob(pattern: str) -> PathGlob:
    """A pattern of a path from the root of the restore point, folded already; `**` at its end means all below."""
    parts = [part for part in pattern.split("/") if part]
    if parts and parts[-1] == "**":
        parts.append("*")
    compiled = [None if part == "**" else name_glob(part) for part in parts]
    return PathGlob(tuple(part for some, group in groupby(compiled) for part in ([None] if some is None else group)))


_STAR = "\0"


def _guarded(pattern: str) -> str:
    """The pattern with a mark for stars in brackets, which are not stars; no pattern has a NUL in it."""
    return _CLASS.sub(lambda found: found[0].replace("*", _STAR), pattern)


def _signs(piece: str) -> Iterator[_Sign]:
    place = 0
    while place < len(piece):
        found = _CLASS.match(piece, place)
        if found:
            yield _class(negated=bool(found[1]), signs=found[2].replace(_STAR, "*"))
            place = found.end()
        else:
            yield _ANY if piece[place] == "?" else _Sign(re.escape(piece[place]), piece[place])
            place += 1


def _class(*, negated: bool, signs: str) -> _Sign:
    if len(signs) == 1 and not negated:
        return _Sign(re.escape(signs), signs)
    ranges = []
    for first, last, alone in _RANGE.findall(signs):
        if alone:
            ranges.append(re.escape(alone))
        elif first <= last:
            ranges.append(f"{re.escape(first)}-{re.escape(last)}")
    if not ranges:
        # A class such as [z-a] has no character in it: negated it is any, else none.
        return _ANY if negated else _Sign("(?!)")
    return _Sign(f"[{'^' if negated else ''}{''.join(ranges)}]")


def _literals(pieces: list[list[_Sign]]) -> Iterator[bytes]:
    """What is there for certain, one after the other without a gap."""
    for number, piece in enumerate(pieces):
        begins, ends = number == 0, number == len(pieces) - 1
        signs = [_Sign("", "\0")] * begins + piece + [_Sign("", "\0")] * ends
        for literal, run in groupby(signs, key=lambda sign: bool(sign.literal)):
            if literal:
                yield "".join(sign.literal for sign in run).encode()
