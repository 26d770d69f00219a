"""How long jobs are kept that are over, and what of them goes first."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from contracts.messages.scheduler import FINAL_STATUSES

from scheduler.jobs.domain.job import Job

LATEST_DAYS = 60
"""Days that each look comes to."""
EARLIER_DAYS = 365
"""Days before those that a look comes to as well; the next one comes to as many before."""
STRETCHES = 20
"""Looks after which the days are the first ones again."""


@dataclass(frozen=True)
class Retention:
    """How long what is known of a job is kept after its end. None: for ever, or as long as the job."""

    jobs: timedelta | None = None
    logs: timedelta | None = None
    measures: timedelta | None = None


def retention_of(*, jobs_days: float, logs_days: float, measures_days: float) -> Retention:
    """The retention that the settings say, in which 0 is no limit."""
    return Retention(jobs=kept_for(jobs_days), logs=kept_for(logs_days), measures=kept_for(measures_days))


def kept_for(days: float) -> timedelta | None:
    """How long that is; None: for ever."""
    return timedelta(days=days) if days else None


def first_day_kept(moment: datetime) -> date:
    """The first day of which packed jobs stay when what ended before a moment goes: whole days go, those before it."""
    return moment.date()


def days_before(moment: datetime, look: int) -> list[date]:
    """Days whose jobs are all older, latest first: the latest ones in each look, and in turns those of twenty years.

    Jobs of long ago are there after a time without a limit, or with a longer one.
    """
    latest = first_day_kept(moment) - timedelta(days=1)
    first = LATEST_DAYS + look % STRETCHES * EARLIER_DAYS
    return [latest - timedelta(days=back) for back in (*range(LATEST_DAYS), *range(first, first + EARLIER_DAYS))]


def is_expired(job: Job, before: datetime) -> bool:
    """Whether a job had ended before a moment; one that is not over never expires."""
    return job.status in FINAL_STATUSES and job.stopped_at is not None and job.stopped_at < before


def id_at(moment: datetime) -> str:
    """What the ids of jobs that were made before a moment are less than, as ids sort by their time (UUIDv7)."""
    milliseconds = f"{max(int(moment.timestamp() * 1000), 0):012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}"
