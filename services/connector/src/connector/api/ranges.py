"""Which status and which part of a file a request amounts to. Pure.

Source: RFC 9110, sections 13 (conditional requests) and 14 (range requests).
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import NamedTuple

from connector.usecases.content import FoundFile, Span

_RANGE = re.compile(r"bytes=[ \t]*(\d*)-(\d*)[ \t]*\Z", re.ASCII)
_DIGITS_MAX = 19


class Answer(NamedTuple):
    """What to answer: 200, 206, 304, 412 or 416, and with which part of the file."""

    status: int
    span: Span | None = None


def answer(headers: Mapping[str, str], found: FoundFile) -> Answer:
    """The answer to a GET or HEAD with these headers (names in lower case).

    Several ranges in one request are answered with the whole file, as a server may.
    """
    unmet = _unmet_condition(headers, found)
    if unmet:
        return Answer(unmet)
    whole = Answer(200, Span(0, found.size))
    asked = headers.get("range")
    if asked is None or not _range_still_valid(headers.get("if-range"), found):
        return whole
    parsed = _RANGE.match(asked)
    if parsed is None or parsed.group(0).endswith("=-") or any(len(g) > _DIGITS_MAX for g in parsed.groups()):
        return whole
    return _part(*parsed.groups(), found=found, whole=whole)


def etag(found: FoundFile) -> str:
    """The entity tag of a file."""
    return f'"{found.tag}"'


def last_modified(found: FoundFile) -> str | None:
    """When a file was last changed, as HTTP writes it; None for times that HTTP cannot write."""
    try:
        return format_datetime(datetime.fromtimestamp(found.mtime_ns // 1_000_000_000, UTC), usegmt=True)
    except (ValueError, OverflowError, OSError):
        return None


def _part(first: str, last: str, *, found: FoundFile, whole: Answer) -> Answer:
    if not first:
        length = min(int(last), found.size)
        return Answer(206, Span(found.size - length, length)) if length else Answer(416)
    start, end = int(first), int(last) if last else found.size - 1
    if last and end < start:
        return whole
    if start >= found.size:
        return Answer(416)
    return Answer(206, Span(start, min(end, found.size - 1) - start + 1))


def _unmet_condition(headers: Mapping[str, str], found: FoundFile) -> int | None:
    match, none_match, since = (headers.get(f"if-{name}") for name in ("match", "none-match", "modified-since"))
    if match is not None and not _names(match, found, weak=False):
        return 412
    if none_match is not None:
        return 304 if _names(none_match, found, weak=True) else None
    return 304 if since is not None and not _changed_since(since, found) else None


def _names(tags: str, found: FoundFile, *, weak: bool) -> bool:
    given = [tag.strip() for tag in tags.split(",")]
    if weak:
        given = [tag.removeprefix("W/") for tag in given]
    return "*" in given or etag(found) in given


def _range_still_valid(condition: str | None, found: FoundFile) -> bool:
    return condition is None or condition.strip() in (etag(found), last_modified(found))


def _changed_since(text: str, found: FoundFile) -> bool:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return True
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return found.mtime_ns // 1_000_000_000 > moment.timestamp()
