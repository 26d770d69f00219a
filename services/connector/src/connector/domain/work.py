"""Work that was asked for: what kinds there are, and who may take it."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Literal, NewType

from contracts.envelope import Envelope
from contracts.errors import PermanentError
from contracts.messages.base import Message
from contracts.messages.scheduler import USUAL_PRIORITY, TaskRequested
from contracts.values import Moment, OrganizationId, Value

# One period for both: how long closed work is kept, and how old a request may be. A repeated request either finds its
# work or is refused by its age, so nothing is done twice.
RETENTION = timedelta(days=30)


# A pool may have been switched off for weeks: days whose clean-up was missed meanwhile are looked at again.
SWEEP_LOOK_BACK_DAYS = 30
CLOCK_SKEW_MAX = timedelta(hours=1)


COMMAND_LEASE_SECONDS = 5.0
EXTRA_SLOTS = 4
IN_LINE_MAX = 20
"""So much work of a worker waits in line beside what runs. It has no engine, but asks the database every second."""


SlotUse = Literal["usual", "extra"]


class SlotGroup(StrEnum):
    """Kinds of work that do not wait for each other."""

    TASKS = "tasks"
    COMMANDS = "commands"
    CHANGE_TESTS = "change-tests"
    """Tests that follow the change of a connector: nobody waits for them, and hundreds may come at once."""
    LISTINGS = "listings"

    def lease_seconds(self, longest: float) -> float:
        """How long a lease is, `longest` at most."""
        # A person waits for the outcome of a command, so a lost worker has to be noticed sooner.
        return min(longest, COMMAND_LEASE_SECONDS) if self is SlotGroup.COMMANDS else longest


Kind = NewType("Kind", str)
"""What is to be done about the message that asked for it. It is kept with the work, so a name never changes."""

# The kinds that the queue itself asks for; that of a command is named in the command's module.
TASK, SYNC, CANCEL = Kind("task"), Kind("follow"), Kind("cancel")


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

    @property
    def answers(self) -> bool:
        """Whether the end of this work is what the sender of its command waits for."""
        # Work that a command asks for has the id of the command, so that a repeated command finds it. What else may
        # follow from a command has an id of its own.
        return self.id == self.cause.id

    @property
    def priority(self) -> int:
        """How much of it a job has; what is no job has the usual one."""
        request = self._request
        return request.priority if request else USUAL_PRIORITY

    @property
    def stores(self) -> tuple[str, ...]:
        """The stores that a job reaches; what is no job takes no slot of a store."""
        request = self._request
        parties = (request.task.origin, request.task.target) if request else ()
        return tuple(sorted({app.id for app in parties if app is not None and app.kind == "store"}))

    @property
    def task_type(self) -> str:
        """The type of a job; of what is no job there is none."""
        request = self._request
        return request.task.type if request else ""

    @property
    def checks_points(self) -> bool:
        """Whether a job checks restore points, for which it stands in no line as a check of the whole store does."""
        request = self._request
        return request is not None and self.task_type == "check" and request.task.options.selects

    @property
    def _request(self) -> TaskRequested | None:
        # What follows from a job, such as the comparison of its store, has the same cause and is no job.
        return self.cause.data if self.kind == TASK and isinstance(self.cause.data, TaskRequested) else None


def slot_for(
    org: OrganizationId, running: Counter[OrganizationId], *, slots: int, extras: int, kept: int = 0
) -> SlotUse | None:
    """Which slot work of an organization may have beside what runs, of which so much is in extra slots.

    Above its slots a group takes work of organizations that have nothing running there, up to `EXTRA_SLOTS`. So many
    slots are `kept` for work that wants one again.
    """
    # Stores of one organization may never answer. Its work may fill all slots, and must not keep others waiting: also
    # where more of it wants slots again, others have the extra slots. These never keep that from a slot.
    if running.total() - extras + kept < slots:
        return "usual"
    return "extra" if extras < EXTRA_SLOTS and not running[org] else None


def joins_a_full_line(work: Work, in_line: Sequence[Work]) -> bool:
    """Whether work would likely wait in line, and a worker has enough of that: it is left to others, or for later."""
    # Two stores have a line of their own, whatever else is copied from the one or into the other.
    alike = [each for each in in_line if each.task_type == work.task_type and each.stores == work.stores]
    # What is no job, such as a cancellation that waits for its job's worker, is in no line.
    is_job = bool(work.task_type)
    return is_job and len(in_line) >= IN_LINE_MAX and bool(alike) and not work.checks_points


def raise_if_too_old(asked: datetime, now: datetime) -> None:
    """Raise `request_too_old` where it is no longer known whether the request was carried out already."""
    # Refused a little before the work may be removed: the clock that dated the message and ours may differ.
    if now - asked > RETENTION - CLOCK_SKEW_MAX:
        raise PermanentError(
            "request_too_old", f"This was asked for more than {RETENTION.days} days ago; ask for it anew."
        )


def expired_days(now: datetime) -> list[date]:
    """Days whose closed work may be removed, latest first."""
    latest = (now - RETENTION).date() - timedelta(days=1)
    return [latest - timedelta(days=back) for back in range(SWEEP_LOOK_BACK_DAYS)]
