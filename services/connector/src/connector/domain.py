"""Decisions about work: who may take it, and what its restore point says."""

import zlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Literal, NamedTuple
from urllib.parse import quote, unquote

from chassis.errors import Unavailable
from contracts.envelope import Envelope
from contracts.errors import Invalid, PermanentError, TemporaryError
from contracts.messages.base import Message
from contracts.messages.connector import BackupSummary, StoreLock
from contracts.values import Moment, OrganizationId, Value
from pydantic import Field

MARK = "cairn:"
WORKERS_LOST_MAX = 4
TRIES_MAX = 12
"""Attempts at a job, when a store or a source does not answer: with the pauses between them 6 minutes or more."""
COMMAND_LEASE_SECONDS = 5.0
EXTRA_SLOTS = 4
UNREADABLE_NAMED = 5

KEPT = timedelta(days=30)
"""How long work that is done is remembered, and how old a message may be that asks for work."""
SWEEP_LOOK_BACK_DAYS = 30
DAY_SECONDS = 86_400.0
LOCKS_LAST = timedelta(minutes=30)
CLOCKS_AGREE = timedelta(hours=1)

AttemptState = Literal["running", "settled", "released"]


class Lane(StrEnum):
    """Kinds of work that do not wait for each other."""

    TASKS = "tasks"
    COMMANDS = "commands"
    LISTINGS = "listings"

    def lease_seconds(self, longest: float) -> float:
        """How long a lease is; somebody waits for commands, so that a lost worker should be noticed sooner."""
        return min(longest, COMMAND_LEASE_SECONDS) if self is Lane.COMMANDS else longest


class Kind(StrEnum):
    """What is to be done about the message that asked for it."""

    TASK = "task"
    TEST = "test"
    INITIALIZE = "initialize"
    REFRESH = "refresh"
    UNLOCK = "unlock"
    FOLLOW = "follow"
    CANCEL = "cancel"

    @property
    def lane(self) -> Lane:
        """Where this kind of work queues."""
        lanes = {Kind.TASK: Lane.TASKS, Kind.FOLLOW: Lane.LISTINGS}
        return lanes.get(self, Lane.COMMANDS)

    @property
    def answers(self) -> bool:
        """Whether the end of this work is what the sender of its command waits for."""
        return self in (Kind.TEST, Kind.INITIALIZE, Kind.REFRESH, Kind.UNLOCK)


class Work(Value):
    """Something to be done once. Never changes; whether it is still open stands beside it."""

    id: str
    kind: Kind
    pool: str
    at: Moment
    cause: Envelope[Message]
    traceparent: str | None = None
    tracestate: str | None = None

    @property
    def organization_id(self) -> OrganizationId:
        """Whose work it is."""
        return self.cause.data.organization_id


class Killed(TemporaryError):
    """A process that works for a worker was killed or crashed, as a worker can be. Trying again may help."""


class MadeSnapshot(Value):
    """The snapshot that a backup left behind, and what is missing from it."""

    summary: BackupSummary
    unreadable: tuple[str, ...] = Field(default=(), description="The first few paths, each with the reason")
    unreadable_count: int = Field(default=0, description="How many there were in all")


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

    @property
    def id(self) -> str:
        """Inserting a document with this id is what claims the attempt."""
        return f"{self.work_id}:{self.number}"


class Turn(NamedTuple):
    """What a worker may do about open work: `take` the attempt, `close` the finished work, or `leave` it alone."""

    action: Literal["take", "close", "leave"]
    number: int = 0


def next_turn(attempts: Sequence[Attempt], now: datetime) -> Turn:
    """What may be done now. The latest attempt decides, those that were given up count for nothing but their pause."""
    standing = [a for a in attempts if a.state != "released" or a.until > now]
    latest = max(standing, key=lambda a: a.number, default=None)
    if latest is not None and latest.state == "settled":
        return Turn("close")
    if latest is not None and latest.until > now:
        return Turn("leave")
    return Turn("take", max((a.number for a in attempts), default=0) + 1)


def is_confirmed(mine: Attempt, attempts: Sequence[Attempt], now: datetime) -> bool:
    """Whether a claim stands, judged by what is read after it was inserted.

    The owner of the attempt before may have come back in time. It reads after it writes, as we do: at least one of
    the two sees the other, and whoever does gives way.
    """
    others = [a for a in attempts if a.number != mine.number]
    return not is_superseded(mine, attempts) and next_turn(others, now).action == "take"


def is_superseded(mine: Attempt, attempts: Sequence[Attempt]) -> bool:
    """Whether somebody took over: the attempt number is the fencing token."""
    return any(a.number > mine.number and a.state != "released" for a in attempts)


def workers_lost(attempts: Sequence[Attempt], now: datetime) -> int:
    """How many attempts ended with their worker gone."""
    return sum(a.state == "running" and a.until <= now for a in attempts)


def may_take(org: OrganizationId, running: Counter[OrganizationId], *, slots: int) -> bool:
    """Whether work of an organization may be begun beside what runs.

    Above its slots a lane takes work of organizations that have nothing running there, up to `EXTRA_SLOTS`: what waits
    for the stores of one, which may never answer, keeps nobody else waiting.
    """
    return running.total() < slots or (running.total() < slots + EXTRA_SLOTS and not running[org])


def raise_if_hopeless(attempts: Sequence[Attempt], now: datetime) -> None:
    """Raise `worker_lost` when one worker after the other was lost over this work."""
    lost = workers_lost(attempts, now)
    if lost >= WORKERS_LOST_MAX:
        raise PermanentError("worker_lost", f"{lost} workers in a row stopped answering while they did this.")


def announced(attempts: Sequence[Attempt]) -> MadeSnapshot | None:
    """The restore point that was announced of a job, by whichever attempt."""
    return next((a.made for a in sorted(attempts, key=lambda a: -a.number) if a.made is not None), None)


def announced_ids(attempts: Sequence[Attempt]) -> frozenset[str]:
    """The ids of what was announced: one, unless a worker that stalled between two lines announced another."""
    return frozenset(a.made.summary.snapshot_id for a in attempts if a.made is not None)


def is_under_way(attempts: Sequence[Attempt]) -> bool:
    """Whether work was begun and has not come to its end."""
    return bool(attempts) and all(a.state != "settled" for a in attempts)


class PointState(StrEnum):
    """How the restore index has a restore point."""

    BROWSABLE = "browsable"
    AWAITED = "awaited"
    DAMAGED = "damaged"


class Difference(NamedTuple):
    """How a store differs from what the restore index has of it; snapshot ids, in no certain order."""

    added: frozenset[str]
    removed: frozenset[str]
    unbrowsable: frozenset[str]
    """Those that the index knows of and cannot open."""
    known: frozenset[str]
    """Those that the index knows and can open."""
    damaged: frozenset[str] = frozenset()
    """Those of `unbrowsable` that could not be listed before."""

    def to_list(self, *, rebuild: bool) -> frozenset[str]:
        """What the index needs listings of."""
        return self.added | self.unbrowsable | (self.known if rebuild else frozenset())


def difference(indexed: Mapping[str, PointState], stored: Collection[str]) -> Difference:
    """Compare what the index had (and whether that could be browsed) with what the store has since then."""
    there = frozenset(stored)
    known = frozenset(snapshot_id for snapshot_id, state in indexed.items() if state is PointState.BROWSABLE)
    damaged = frozenset(snapshot_id for snapshot_id, state in indexed.items() if state is PointState.DAMAGED)
    return Difference(
        added=there - indexed.keys(),
        removed=frozenset(indexed) - there,
        unbrowsable=(frozenset(indexed) & there) - known,
        known=known & there,
        damaged=damaged & there,
    )


def is_stale(lock: StoreLock, now: datetime, *, host: str, is_alive: Callable[[int], bool]) -> bool:
    """Whether a lock is proved to be nobody's, by restic's own rule: a living process renews it every 5 minutes."""
    if lock.since is None:
        return False
    return now - lock.since > LOCKS_LAST or (lock.host == host and not is_alive(lock.process))


def turn_of_refresh(store_id: str, now: float, *, every_seconds: float) -> str:
    """The id of the work that compares a store in this turn; stores take theirs at different moments."""
    return f"refresh:{store_id}:{every_seconds:g}:{_turn(store_id, now, every_seconds)}"


def is_thorough_turn(store_id: str, now: float, *, every_seconds: float) -> bool:
    """Whether the comparison of this turn looks for what the store has lost, which costs a listing of its packs.

    One of those of a day does, all of them where they are rarer than that.
    """
    turns_a_day = max(round(DAY_SECONDS / every_seconds), 1)
    return _turn(store_id, now, every_seconds) % turns_a_day == 0


def _turn(store_id: str, now: float, every_seconds: float) -> int:
    shift = zlib.crc32(store_id.encode("utf-8", "backslashreplace")) % max(int(every_seconds), 1)
    return int((now + shift) // every_seconds)


def is_worth_another_try(error: TemporaryError, attempt: int) -> bool:
    """Whether to try again later. Servers that Cairn stands on are waited for as long as it takes, others are not.

    What kills an engine may well kill the next one: that is tried as often as what kills workers.
    """
    if isinstance(error, Killed):
        return attempt < WORKERS_LOST_MAX
    return isinstance(error, Unavailable) or attempt < TRIES_MAX


def retry_pause_seconds(attempt: int) -> float:
    """Pause before work is tried again after a server that Cairn stands on did not answer."""
    return float(min(2 ** min(attempt, 6), 60))


def raise_if_forgotten(asked: datetime, now: datetime) -> None:
    """Raise `request_too_old` where nobody could tell any more whether what is asked for was done already."""
    if now - asked > KEPT - CLOCKS_AGREE:
        raise PermanentError("request_too_old", f"This was asked for more than {KEPT.days} days ago; ask for it anew.")


def forgettable_days(now: datetime) -> list[date]:
    """Days whose closed work may be forgotten, latest first; those before were swept when it was their turn."""
    latest = (now - KEPT).date() - timedelta(days=1)
    return [latest - timedelta(days=back) for back in range(SWEEP_LOOK_BACK_DAYS)]


class Origin(Value):
    """Where a restore point comes from, as the tags of its snapshot tell."""

    organization_id: str | None = None
    source_id: str | None = None
    job_id: str | None = None
    environment: str = ""
    data_classes: tuple[str, ...] = ()
    location: str = ""
    labels: tuple[str, ...] = ()


def tags_of(origin: Origin) -> tuple[str, ...]:
    """The tags of a snapshot: the user's labels, then Cairn's own. Raises `label_invalid`.

    Engines cut white space off the ends of a tag: where a label has some, marks tell all labels in full as well.
    """
    for label in origin.labels:
        if label.strip().startswith(MARK) or "," in label or not label.strip():
            raise Invalid("label_invalid", f"The label {label!r} is empty, has a comma, or begins with {MARK!r}.")
    single = {
        "org": origin.organization_id,
        "source": origin.source_id,
        "job": origin.job_id,
        "environment": origin.environment,
        "location": origin.location,
    }
    marks = [(name, value) for name, value in single.items() if value]
    marks += [("data-class", value) for value in origin.data_classes]
    bare = tuple(label.strip() for label in origin.labels)
    marks += [("label", label) for label in origin.labels if bare != origin.labels]
    return (*bare, *(f"{MARK}{name}={_escape(value)}" for name, value in marks))


def job_tag(job_id: str) -> str:
    """The tag by which a job finds the snapshot it made."""
    return f"{MARK}job={job_id}"


def origin_of(tags: Sequence[str], organization_id: OrganizationId) -> Origin:
    """What tags tell. Of a snapshot that this organization's Cairn did not make, only its labels count.

    Cairn names source and job: anything less was put on by hand.
    """
    marks = [t.removeprefix(MARK).partition("=") for t in tags if t.startswith(MARK)]
    labels = tuple(t for t in tags if not t.startswith(MARK))
    named = {name: _unescape(value) for name, _, value in marks}
    if named.get("org") != organization_id or not all(named.get(each) for each in ("source", "job")):
        return Origin(labels=labels)
    whole = [_unescape(value) for name, _, value in marks if name == "label"]
    return Origin(
        organization_id=organization_id,
        source_id=named.get("source"),
        job_id=named.get("job"),
        environment=named.get("environment", ""),
        data_classes=tuple(_unescape(value) for name, _, value in marks if name == "data-class"),
        location=named.get("location", ""),
        labels=_in_full(labels, whole),
    )


def _in_full(labels: Sequence[str], whole: Sequence[str]) -> tuple[str, ...]:
    """Labels as they were given: the `whole` ones that still stand among the tags, then tags that came later."""
    left, given = list(labels), []
    for label in whole:
        if label.strip() in left:
            left.remove(label.strip())
            given.append(label)
    return (*given, *left)


def _escape(value: str) -> str:
    """A value as a mark holds it: without commas, which divide tags, or white space at its ends, which tags lose."""
    bare = value.strip()
    begin = value.index(bare)
    head, tail = quote(value[:begin], safe=""), quote(value[begin + len(bare) :], safe="")
    return head + bare.replace("%", "%25").replace(",", "%2C") + tail


def _unescape(value: str) -> str:
    return unquote(value)


def incomplete(made: MadeSnapshot) -> PermanentError | None:
    """The error of a backup that kept a restore point but could not read everything; None when it could."""
    count = made.unreadable_count
    if not count:
        return None
    named = ", ".join(made.unreadable)
    more = f" and {count - len(made.unreadable)} more" if count > len(made.unreadable) else ""
    things = "1 file or directory" if count == 1 else f"{count} files or directories"
    detail = f"{things} could not be read: {named}{more}. The restore point has everything else."
    return PermanentError("backup_incomplete", detail)


def keepable(text: str) -> str:
    """A text as every database can keep it: escapes stand for NUL and for halves of surrogate pairs."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
