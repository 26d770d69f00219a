"""What a search asks for."""

import hashlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta

from contracts.errors import Invalid
from contracts.paths import shown

from restore_index.domain.case_folding import fold, fold_text
from restore_index.domain.segment_columns import TYPES

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
        """Bytes that distinguish these conditions, within a scope, from others."""
        # Not hash(): that differs between processes, and a cursor has to be good for all of them.
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
    _check_text("q", q)
    _check_glob(glob)
    _check_endings(endings)
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


def _check_endings(endings: Sequence[bytes]) -> None:
    for ending in endings:
        _check_text("ext", ending)
    if len(endings) > ENDINGS_MOST:
        raise _invalid("ext", f"has more than {ENDINGS_MOST} endings")


def _check_glob(glob: bytes | None) -> None:
    _check_text("glob", glob)
    if glob is not None and not 0 < sum(map(bool, glob.split(b"/"))) <= PARTS_MOST:
        raise _invalid("glob", f"has no parts, or more than {PARTS_MOST}")


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
    # Clients leave the zone out; UTC is what listings show.
    utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return (utc - _EPOCH) // timedelta(milliseconds=1)


def _invalid(name: str, why: str) -> Invalid:
    return Invalid("request_invalid", f"The condition {name} cannot be used: it {why}.", fields={name: why})
