"""Aggregates with their pending messages and recently seen commands, saved in one document write: the port.

Each aggregate has one writer, the handler its Kafka key leads to.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from contracts.envelope import Envelope
from contracts.errors import Conflict
from contracts.messages.base import Message
from contracts.messages.outcomes import CommandOutcome, Problem
from contracts.values import OrganizationId, Value
from pydantic import BaseModel, JsonValue

from chassis.persistence.mongo import Document

V = TypeVar("V", bound=BaseModel)
Keys = Mapping[str, str | bool | int]
Result = dict[str, JsonValue] | Problem
Announce = Callable[[], Awaitable[bool]]
"""Sends the messages that an aggregate was saved with; whether all were sent. What fails, or is never called, is made
up for later."""


class AlreadyHandled(Exception):
    """The message was handled before. `outcome` is what was published then, for a command."""

    def __init__(self, outcome: Envelope[CommandOutcome] | None) -> None:
        super().__init__("already handled")
        self.outcome = outcome


@dataclass(frozen=True)
class Aggregate(Generic[V]):
    """An aggregate as loaded. Revision 0: never saved. Value None: not there (or removed)."""

    id: str
    organization_id: OrganizationId
    revision: int = 0
    value: V | None = None
    outbox: tuple[Document, ...] = ()
    seen: tuple[Document, ...] = ()


@dataclass(frozen=True)
class Change(Generic[V]):
    """What one save changes, announces and answers; see `Aggregates.save`.

    `following`: what the events follow from, in place of a cause, which the next load would see as handled.
    """

    value: V | None
    events: Sequence[Message] = ()
    cause: Envelope[Message] | None = None
    result: Result | None = None
    partial: bool = False
    following: Envelope[Message] | None = None


@dataclass(frozen=True)
class Kept(Generic[V]):
    """An aggregate as it is kept, without what it remembers."""

    id: str
    revision: int
    value: V


@dataclass(frozen=True)
class Rewrite(Generic[V]):
    """One of many aggregates that are saved at once; see `Aggregates.save_many`.

    `revision` is the one it has, 0 before it was ever saved; None as a value: not there.
    """

    id: str
    revision: int
    before: V | None
    after: V | None


class Search(Value):
    """A substring that one of the fields of the value must have, whatever the case."""

    fields: tuple[str, ...]
    text: str


class Page(BaseModel, Generic[V]):
    """A part of a result and how many there are in all."""

    total: int
    items: list[V]


class Aggregates(Protocol[V]):
    """A collection of aggregates of one kind."""

    async def load(
        self, org: OrganizationId, aggregate_id: str, *, cause: Envelope[Message] | None = None
    ) -> Aggregate[V]:
        """Load for writing. Raises `AlreadyHandled` when `cause` was handled on this aggregate before."""
        ...

    async def get(self, org: OrganizationId, aggregate_id: str) -> V | None:
        """Load for reading; None when it is not there, was removed, or belongs to another organization."""
        ...

    async def save(
        self,
        aggregate: Aggregate[V],
        value: V | None,
        *,
        events: Sequence[Message] = (),
        cause: Envelope[Message] | None = None,
        result: Result | None = None,
        partial: bool = False,
    ) -> Aggregate[V]:
        """Save a new value (None removes) with its events and, for a command, its outcome; then announce them.

        Among `events` may be commands that follow from the change, whose outcome nobody here waits for.

        The next load sees the cause as handled. A `partial` save is one of several that a command needs: the outcome
        comes with the last. A `Problem` as result refuses the command. Raises `LostRace` when somebody saved since
        the load, `Conflict` when the id is another organization's.
        """
        ...

    async def write(self, aggregate: Aggregate[V], change: Change[V]) -> tuple[Aggregate[V], Announce]:
        """Save like `save`, and leave it to the caller to announce, who may save again while a broker is silent."""
        ...

    async def find(
        self,
        org: OrganizationId,
        where: Keys | None = None,
        *,
        search: Search | None = None,
        limit: int = 0,
        offset: int = 0,
        newest_first: bool = False,
    ) -> Page[V]:
        """Values whose keys equal `where`, oldest first by id; `limit` 0 means all."""
        ...

    def scan(self, org: OrganizationId, where: Keys | None = None, *, batch: int = 500) -> AsyncIterator[list[Kept[V]]]:
        """All that `find` finds, oldest first by id, in batches: for more than fits into one answer."""
        ...

    def scan_all(self, *, batch: int = 500) -> AsyncIterator[list[tuple[OrganizationId, V]]]:
        """All values of all organizations, oldest first by id, in batches: for whoever holds them all in memory."""
        ...

    async def save_many(self, org: OrganizationId, rewrites: Sequence[Rewrite[V]]) -> None:
        """Save many aggregates in few calls, each in its next revision. What they remember stays.

        For whoever announces the change as a whole and remembers its cause: an event of its own outbox. Not one write:
        a process that dies may have saved some, and may ask for all again, as what has a later revision is left as it
        is. Raises `Conflict` when a new id is another organization's, `LostRace` for one that is not there.
        """
        ...

    async def drop(self, aggregate: Aggregate[V]) -> None:
        """Remove an aggregate with all it remembers, unless it was saved since the load.

        Only for one that has nothing to announce, and of which no message can come any more.
        """
        ...


def id_taken() -> Conflict:
    """The refusal of an id that another organization uses; says no more than that it cannot be had."""
    return Conflict("id_taken", "This id cannot be used; choose another.")
