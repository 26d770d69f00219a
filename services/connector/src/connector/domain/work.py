"""Work that was asked for: what kinds there are, and who may take it."""

from collections import Counter
from datetime import date, datetime, timedelta
from enum import StrEnum

from contracts.envelope import Envelope
from contracts.errors import PermanentError
from contracts.messages.base import Message
from contracts.values import Moment, OrganizationId, Value

KEPT = timedelta(days=30)
"""How long work that is done is remembered, and how old a message may be that asks for work."""


SWEEP_LOOK_BACK_DAYS = 30
CLOCKS_AGREE = timedelta(hours=1)


COMMAND_LEASE_SECONDS = 5.0
EXTRA_SLOTS = 4


class SlotGroup(StrEnum):
    """Kinds of work that do not wait for each other."""

    TASKS = "tasks"
    COMMANDS = "commands"
    LISTINGS = "listings"

    def lease_seconds(self, longest: float) -> float:
        """How long a lease is; somebody waits for commands, so that a lost worker should be noticed sooner."""
        return min(longest, COMMAND_LEASE_SECONDS) if self is SlotGroup.COMMANDS else longest


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
    def slots(self) -> SlotGroup:
        """Where this kind of work queues."""
        groups = {Kind.TASK: SlotGroup.TASKS, Kind.FOLLOW: SlotGroup.LISTINGS}
        return groups.get(self, SlotGroup.COMMANDS)

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


def may_take(org: OrganizationId, running: Counter[OrganizationId], *, slots: int) -> bool:
    """Whether work of an organization may be begun beside what runs.

    Above its slots a group takes work of organizations that have nothing running there, up to `EXTRA_SLOTS`: what waits
    for the stores of one, which may never answer, keeps nobody else waiting.
    """
    return running.total() < slots or (running.total() < slots + EXTRA_SLOTS and not running[org])


def raise_if_forgotten(asked: datetime, now: datetime) -> None:
    """Raise `request_too_old` where nobody could tell any more whether what is asked for was done already."""
    if now - asked > KEPT - CLOCKS_AGREE:
        raise PermanentError("request_too_old", f"This was asked for more than {KEPT.days} days ago; ask for it anew.")


def forgettable_days(now: datetime) -> list[date]:
    """Days whose closed work may be forgotten, latest first; those before were swept when it was their turn."""
    latest = (now - KEPT).date() - timedelta(days=1)
    return [latest - timedelta(days=back) for back in range(SWEEP_LOOK_BACK_DAYS)]
