"""Attempts at work: which one counts, and whether there is another."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from chassis.errors import Unavailable
from contracts.errors import PermanentError, TemporaryError
from contracts.task_types.backup import BackupResult
from contracts.values import Moment, Value
from pydantic import Field

WORKERS_LOST_MAX = 4


TRIES_MAX = 12
# With the pauses between them that is 6 minutes or more.


AttemptState = Literal["running", "settled", "released"]


class Killed(TemporaryError):
    """A process that works for a worker was killed or crashed, as a worker can be. Trying again may help."""


class MadeSnapshot(Value):
    """The snapshot that a backup left behind, and what is missing from it."""

    summary: BackupResult
    unreadable: tuple[str, ...] = Field(default=(), description="The first few paths, each with the reason")
    unreadable_count: int = Field(default=0, description="How many there were in all")


class ChosenSnapshot(Value):
    """The snapshot that a restore takes, so that later attempts take no newer one."""

    snapshot_id: str
    matched: int = Field(description="How many restore points fulfilled the conditions")


class Attempt(Value):
    """One worker's try at a piece of work, written by that worker only.

    While `running`, `until` is the end of its lease; `released` means that its owner gave it up without a result and
    that nobody should try again before `until`; `settled` means that the result is saved.
    """

    work_id: str
    number: int
    owner: str
    until: Moment
    state: AttemptState = "running"
    made: MadeSnapshot | None = None
    chosen: ChosenSnapshot | None = None
    ends: bool = False
    """Whether it was claimed to end a canceled job, and begins nothing."""
    index_repaired: bool = False
    """Whether it found the index of its store wrong and wrote it anew."""

    @property
    def id(self) -> str:
        """Inserting a document with this id is what claims the attempt."""
        return f"{self.work_id}:{self.number}"


class NextStep(NamedTuple):
    """What a worker may do about open work: `take` the attempt, `close` the finished work, or `leave` it alone."""

    action: Literal["take", "close", "leave"]
    number: int = 0


def next_step(attempts: Sequence[Attempt], now: datetime, *, despite_pauses: bool = False) -> NextStep:
    """What may be done now. The latest attempt decides; one that was released only makes others wait for its pause.

    `despite_pauses`: as far as it is not about trying again, which a pause is for.
    """
    standing = [a for a in attempts if a.state != "released" or (a.until > now and not despite_pauses)]
    latest = max(standing, key=lambda a: a.number, default=None)
    if latest is not None and latest.state == "settled":
        return NextStep("close")
    if latest is not None and latest.until > now:
        return NextStep("leave")
    return NextStep("take", max((a.number for a in attempts), default=0) + 1)


def is_confirmed(mine: Attempt, attempts: Sequence[Attempt], now: datetime, *, despite_pauses: bool = False) -> bool:
    """Whether a claim stands, judged by what is read after it was inserted."""
    # The previous owner may have renewed its lease just in time. It reads after it writes, as this worker does, so at
    # least one of the two sees the other, and the one that does gives way.
    others = [a for a in attempts if a.number != mine.number]
    return not is_superseded(mine, attempts) and next_step(others, now, despite_pauses=despite_pauses).action == "take"


def is_superseded(mine: Attempt, attempts: Sequence[Attempt]) -> bool:
    """Whether another worker took over: the attempt number is the fencing token."""
    return any(a.number > mine.number and a.state != "released" for a in attempts)


def workers_lost(attempts: Sequence[Attempt], now: datetime) -> int:
    """How many attempts ended with their worker gone."""
    return sum(a.state == "running" and a.until <= now for a in attempts)


def raise_if_hopeless(attempts: Sequence[Attempt], now: datetime) -> None:
    """Raise `worker_lost` when one worker after the other was lost over this work."""
    # Work that exhausts the memory of each worker that takes it would otherwise take down the pool, one after another.
    lost = workers_lost(attempts, now)
    if lost >= WORKERS_LOST_MAX:
        raise PermanentError("worker_lost", f"{lost} workers in a row stopped answering while they did this.")


def announced(attempts: Sequence[Attempt]) -> MadeSnapshot | None:
    """The restore point that was announced of a job, by whichever attempt."""
    return next((a.made for a in sorted(attempts, key=lambda a: -a.number) if a.made is not None), None)


def announced_ids(attempts: Sequence[Attempt]) -> frozenset[str]:
    """The ids of what was announced."""
    # More than one where a worker stalled between its lease check and its write: neither may be removed.
    return frozenset(a.made.summary.snapshot_id for a in attempts if a.made is not None)


def is_settled(attempts: Sequence[Attempt]) -> bool:
    """Whether one of them came to a result."""
    return any(a.state == "settled" for a in attempts)


def is_under_way(attempts: Sequence[Attempt]) -> bool:
    """Whether work was begun and has not come to its end."""
    return bool(attempts) and all(a.state != "settled" for a in attempts)


def is_worth_another_try(error: TemporaryError, attempt: int) -> bool:
    """Whether to try again later. Cairn's own servers are awaited without a limit, stores and sources are not."""
    if isinstance(error, Killed):
        # What kills an engine, such as a lack of memory, may kill the next one: as many tries as for lost workers.
        return attempt < WORKERS_LOST_MAX
    # An outage of Kafka or MongoDB says nothing about the job, and an operator will end it.
    return isinstance(error, Unavailable) or attempt < TRIES_MAX


def retry_pause_seconds(attempt: int) -> float:
    """Pause before work is tried again after a server that Cairn stands on did not answer."""
    # The exponent is bounded as well, because attempts after an outage of Cairn's own servers are not.
    return float(min(2 ** min(attempt, 6), 60))


def chosen_before(attempts: Sequence[Attempt]) -> ChosenSnapshot | None:
    """What an earlier attempt chose, if one did."""
    latest_first = sorted(attempts, key=lambda each: each.number, reverse=True)
    return next((each.chosen for each in latest_first if each.chosen is not None), None)


def repaired_before(attempts: Sequence[Attempt]) -> bool:
    """Whether one of them repaired the index of a store: the others find it right."""
    return any(each.index_repaired for each in attempts)
