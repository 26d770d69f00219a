"""The log of a job as clients read it."""

import unicodedata
from collections.abc import Iterable

from contracts.messages.connector.task_events import LogLine
from contracts.messages.scheduler import FINAL_STATUSES
from contracts.queries.scheduler import Job
from contracts.values import Moment

_HARMLESS = "\t\u200c\u200d"
"""Tabs, and what joins letters or parts of a picture, or keeps them apart."""


def log_text(job: Job, lines: tuple[LogLine, ...]) -> str:
    """A job's log as plain text, one entry a line; never empty for a finished job, and never valid JSON."""
    if lines:
        return log_lines(lines)
    # Clients show the log of a job that failed, and it must not be empty.
    if job.status in FINAL_STATUSES and job.stopped_at:
        reason = f": {printable(job.problem.detail)}" if job.problem else ""
        return f"{_time(job.stopped_at)} info job {job.status}{reason}\n"
    return ""


def log_lines(lines: Iterable[LogLine]) -> str:
    """Lines of a log as plain text."""
    return "".join(f"{_time(line.at)} {line.level} {printable(line.text)}\n" for line in lines)


def _time(moment: Moment) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def printable(text: str) -> str:
    """Text without control characters, which a file name may hold to disturb a terminal. Spaces of any width stay."""
    if text.isprintable():
        return text
    return "".join(c if _is_harmless(c) else c.encode("unicode_escape").decode() for c in text)


def _is_harmless(character: str) -> bool:
    return character.isprintable() or character in _HARMLESS or unicodedata.category(character) == "Zs"
