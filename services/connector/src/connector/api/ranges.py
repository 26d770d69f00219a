"""Which status and which part of a file a request amounts to. Pure.

Source: RFC 9110, sections 13 (conditional requests) and 14 (range requests).
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import NamedTuple

from connector.downloads.content import FoundFile, Span

_RANGES = re.compile(r"bytes=(.*)\Z", re.IGNORECASE | re.DOTALL | re.ASCII)
_RANGE = re.compile(r"(?=.*\d)(\d*)-(\d*)\Z", re.ASCII)
_DIGITS_MAX = 19


class Answer(NamedTuple):
    """What to answer: 200, 206, 304, 412 or 416, and with which part of the file."""

    status: int
    span: Span | None = None


class _Range(NamedTuple):
    """One range as it is asked for: from `first` to `last`, or without `first` the last `last` bytes."""

    first: int | None
    last: int | None


def answer(headers: Mapping[str, str], found: FoundFile, *, method: str = "GET") -> Answer:
    """The answer to a GET or HEAD with these headers (names in lower case). HEAD has no ranges.

    Several ranges in one request are answered with the whole file, as a server may.
    """
    unmet = _unmet_condition(headers, found)
    if unmet:
        return Answer(unmet)
    whole = Answer(200, Span(0, found.size))
    asked = _asked(headers.get("range", "")) if method == "GET" else []
    if not asked or not _range_still_valid(headers.get("if-range"), found):
        return whole
    spans = [span for each in asked if (span := _satisfied(each, found.size))]
    if not spans:
        return Answer(416)
    return Answer(206, spans[0]) if len(asked) == 1 else whole


def etag(found: FoundFile) -> str:
    """The entity tag of a file."""
    return f'"{found.tag}"'


def last_modified(found: FoundFile) -> str | None:
    """When a file was last changed, as HTTP writes it; None for times that HTTP cannot write."""
    try:
        return format_datetime(datetime.fromtimestamp(found.mtime_ns // 1_000_000_000, UTC), usegmt=True)
    except (ValueError, OverflowError, OSError):
        return None


def _asked(header: str) -> list[_Range]:
    """The ranges of a header; none where it is to be ignored: another unit, or not well-formed."""
    given = _RANGES.match(header)
    parts = [part.strip(" \t") for part in given[1].split(",")] if given else []
    matches = [_RANGE.match(part) for part in parts if part]
    ranges = [_Range(_number(found[1]), _number(found[2])) for found in matches if found]
    is_sound = len(ranges) == len(matches) and not any(_is_reversed(each) for each in ranges)
    return ranges if is_sound else []


def _number(digits: str) -> int | None:
    """A number of a range, or some number that is larger than any file too."""
    # `int` refuses texts of more than 4,300 digits and takes quadratic time below that; a client may send any.
    significant = digits.lstrip("0")
    return int(significant[: _DIGITS_MAX + 1] or "0") if digits else None


def _is_reversed(asked: _Range) -> bool:
    return asked.first is not None and asked.last is not None and asked.last < asked.first


def _satisfied(asked: _Range, size: int) -> Span | None:
    """What the file has of a range; None when that is nothing."""
    first, last = asked
    if first is None:
        length = min(last or 0, size)
        return Span(size - length, length) if length else None
    end = size - 1 if last is None else min(last, size - 1)
    return Span(first, end - first + 1) if first < size else None


def _unmet_condition(headers: Mapping[str, str], found: FoundFile) -> int | None:
    match, none_match = headers.get("if-match"), headers.get("if-none-match")
    # In the order of RFC 9110, section 13.2.2: an entity tag counts before a date.
    if match is not None:
        if not _names(match, found, weak=False):
            return 412
    elif _changed_since(headers.get("if-unmodified-since", ""), found):
        return 412
    if none_match is not None:
        return 304 if _names(none_match, found, weak=True) else None
    return 304 if _changed_since(headers.get("if-modified-since", ""), found) is False else None


def _names(tags: str, found: FoundFile, *, weak: bool) -> bool:
    given = [tag.strip() for tag in tags.split(",")]
    if weak:
        given = [tag.removeprefix("W/") for tag in given]
    return "*" in given or etag(found) in given


def _range_still_valid(condition: str | None, found: FoundFile) -> bool:
    return condition is None or condition.strip() in (etag(found), last_modified(found))


def _changed_since(text: str, found: FoundFile) -> bool | None:
    """None for what is no date: it makes no condition."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return found.mtime_ns // 1_000_000_000 > moment.timestamp()
