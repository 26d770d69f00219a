"""The log of a job as clients read it."""

from collections.abc import Iterable

from contracts.messages.connector.task_events import LogLine
from contracts.messages.scheduler import FINAL_STATUSES
from contracts.queries.scheduler import Job
from contracts.values import Moment


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
    """Text without control characters, which a file name may hold to disturb a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\t" else c.encode("unicode_escape").decode() for c in text)
