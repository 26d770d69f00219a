"""What a search asks for."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta

from contracts.errors import Invalid
from contracts.paths import shown

from restore_index.domain.case_folding import fold, fold_text
from restore_index.domain.name_segments import TYPES, Columns
from restore_index.domain.search.globs import NameGlob, PathGlob, name_glob, path_glob

TEXT_BYTES_MOST = 4000
ENDINGS_MOST = 50
PARTS_MOST = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Conditions:
    """All must hold. Texts are folded; `size` in bytes, `mtime` in milliseconds; empty, and None, is whatever."""

    part: bytes = b""
    glob: str = ""
    endings: tuple[bytes, ...] = ()
    types: tuple[str, ...] = ()
    size_least: int | None = None
    size_most: int | None = None
    mtime_first: int | None = None
    mtime_before: int | None = None

    def digest(self, *scope: str) -> bytes:
        """Tells these conditions, within a scope, from others."""
        return hashlib.sha256(repr((astuple(self), scope)).encode()).digest()[:8]


def read_conditions(
    *,
    q: bytes | None = None,
    glob: bytes | None = None,
    ext: Sequence[bytes] = (),
    types: Sequence[str] = (),
    min_size: int | None = None,
    max_size: int | None = None,
    modified_after: datetime | None = None,
    modified_before: datetime | None = None,
) -> Conditions:
    """Conditions out of what was asked; `modified_after` includes its moment, a time without a zone is UTC.

    Raises `Invalid` (`request_invalid`, or `conditions_missing` when nothing is asked for).
    """
    endings = [ending.removeprefix(b".") for several in ext for ending in several.split(b",")]
    for name, text in [("q", q), ("glob", glob), *(("ext", ending) for ending in endings)]:
        _check_text(name, text)
    if len(endings) > ENDINGS_MOST:
        raise _invalid("ext", f"has more than {ENDINGS_MOST} endings")
    if glob is not None and not 0 < len([part for part in glob.split(b"/") if part]) <= PARTS_MOST:
        raise _invalid("glob", f"has no parts, or more than {PARTS_MOST}")
    if set(types) - set(TYPES):
        raise _invalid("type", f"is none of {', '.join(TYPES)}")
    conditions = Conditions(
        part=fold(q or b""),
        glob=fold_text(shown(glob or b"")),
        endings=tuple(sorted({b"." + fold(ending) for ending in endings})),
        types=tuple(sorted(set(types))),
        size_least=min_size,
        size_most=max_size,
        mtime_first=_milliseconds(modified_after),
        mtime_before=_milliseconds(modified_before),
    )
    if conditions == Conditions():
        raise Invalid(
            "conditions_missing", "Say what to look for: at least one of q, glob, ext, type, a size or a time."
        )
    return conditions


class Matcher:
    """Conditions, ready to be held against names and columns.

    `literal` is in the text of every name that matches, with the NUL before it and after it, and `pattern`, if any,
    too. `is_literal` tells whether every name with the literal in it matches.
    """

    def __init__(self, conditions: Conditions) -> None:
        self._conditions = conditions
        self.path: PathGlob | None = path_glob(conditions.glob) if "/" in conditions.glob else None
        self._glob = self._name_glob(conditions.glob)
        part, endings = conditions.part, conditions.endings
        literals = [
            *(self._glob.literals if self._glob else ()),
            part,
            *(e + b"\0" for e in endings[:1] if len(endings) == 1),
        ]
        self.literal: bytes = max(filter(None, literals), key=len, default=b"\0")
        self.pattern = re.compile(b"(?:" + b"|".join(map(re.escape, endings)) + b")\0") if len(endings) > 1 else None
        self.asks_columns = any(value not in (None, ()) for value in astuple(conditions)[3:])
        self.is_literal = not (self.asks_columns or self._glob or self.pattern) and bool(part) != bool(endings)
        self._types = frozenset(TYPES.index(name) for name in conditions.types)

    def _name_glob(self, pattern: str) -> NameGlob | None:
        if self.path:
            return self.path.name
        return name_glob(pattern) if pattern else None

    def lookup(self, names: Sequence[bytes], columns: Columns | None, start: int) -> list[int]:
        """The places of those names that match, of a page; its entries begin in the columns at `start`."""
        places, glob = self._by_conditions(names, columns, start), self._glob
        return [i for i in places if glob.matches(names[i].decode())] if glob else list(places)

    def any_match(self, names: Sequence[bytes], columns: Columns | None, start: int) -> bool:
        """Whether one of these names matches, see `lookup`."""
        places, glob = self._by_conditions(names, columns, start), self._glob
        return any(glob.matches(names[i].decode()) for i in places) if glob else bool(places)

    def _by_conditions(self, names: Sequence[bytes], columns: Columns | None, start: int) -> Sequence[int]:
        places: Sequence[int] = range(len(names))
        if columns is not None and self.asks_columns:
            places = self._by_columns(columns, start, len(names))
        part, endings = self._conditions.part, self._conditions.endings
        if part:
            places = [i for i in places if part in names[i]]
        if endings:
            places = [i for i in places if names[i].endswith(endings)]
        return places

    def _by_columns(self, columns: Columns, start: int, count: int) -> Sequence[int]:
        asked = self._conditions
        found: Sequence[int] = range(count)
        if asked.types:
            found = [i for i in found if columns.types[start + i] in self._types]
        if asked.size_least is not None:
            found = [i for i in found if columns.sizes[start + i] >= asked.size_least]
        if asked.size_most is not None:
            found = [i for i in found if columns.sizes[start + i] <= asked.size_most]
        if asked.mtime_first is not None:
            found = [i for i in found if columns.mtimes[start + i] >= asked.mtime_first]
        if asked.mtime_before is not None:
            found = [i for i in found if columns.mtimes[start + i] < asked.mtime_before]
        return found


def _check_text(name: str, text: bytes | None) -> None:
    if text is None:
        return
    if not text:
        raise _invalid(name, "is empty")
    if len(text) > TEXT_BYTES_MOST:
        raise _invalid(name, f"is longer than {TEXT_BYTES_MOST} bytes")
    if b"\0" in text:
        raise _invalid(name, "has a NUL in it, which no name has")


def _milliseconds(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return (utc - _EPOCH) // timedelta(milliseconds=1)


def _invalid(name: str, why: str) -> Invalid:
    return Invalid("request_invalid", f"The condition {name} cannot be used: it {why}.", fields={name: why})
