"""Jobs as the scheduler tells of them."""

from contracts.messages.connector import LogLine
from contracts.messages.outcomes import Problem
from contracts.messages.scheduler import JobStatus
from contracts.tasks import Task, TaskResult
from contracts.values import Moment, Value

FINAL: frozenset[JobStatus] = frozenset({"canceled", "succeeded", "failed"})


class JobProgress(Value):
    """How far a running job is; the latest report of its worker."""

    phase: str = ""
    waiting_for: str = ""
    fraction: float = 0
    files_done: int = 0
    files_total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    current: tuple[str, ...] = ()
    cpu_percent: float = 0
    memory_bytes: int = 0
    network_bytes: int = 0


class Job(Value):
    """One run of a task."""

    id: str
    run_id: str
    status: JobStatus
    task: Task
    schedule_at: Moment | None = None
    created_at: Moment | None = None
    started_at: Moment | None = None
    stopped_at: Moment | None = None
    attempt: int = 0
    worker: str | None = None
    problem: Problem | None = None
    progress: JobProgress | None = None
    result: TaskResult | None = None


def log_text(job: Job, lines: tuple[LogLine, ...]) -> str:
    """A job's log as plain text, one entry a line; never empty for a finished job, and never valid JSON."""
    shown = [f"{_time(line.at)} {line.level} {printable(line.text)}" for line in lines]
    if not shown and job.status in FINAL and job.stopped_at:
        reason = f": {printable(job.problem.detail)}" if job.problem else ""
        shown = [f"{_time(job.stopped_at)} info job {job.status}{reason}"]
    return "".join(f"{line}\n" for line in shown)


def _time(moment: Moment) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def printable(text: str) -> str:
    """Text without control characters, which a file name may hold to disturb a terminal."""
    return "".join(c if c.isprintable() or c == "\t" else c.encode("unicode_escape").decode() for c in text)
