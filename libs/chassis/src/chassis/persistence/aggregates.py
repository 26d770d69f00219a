"""Aggregates with their pending messages and recently seen commands, saved in one document write.

A document: `_id`, `org`, `revision`, `removed`, `value` (the aggregate), `outbox`, `seen`, and the fields that queries
lead with, copied to the top level by the store. Each document has one writer, the handler its Kafka key leads to.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from contracts.envelope import Envelope
from contracts.errors import CairnError, Conflict, Invalid
from contracts.messages.base import Event, Message
from contracts.messages.outcomes import CommandOutcome, Problem
from contracts.values import OrganizationId, Value
from pydantic import BaseModel, JsonValue

from chassis.errors import LostRace
from chassis.messaging.envelopes import accepted, envelope, is_command, refused
from chassis.persistence.mongo import Collection, Document, DuplicateKeyError, Index, ensure_indexes
from chassis.persistence.outbox import Outbox, entry_to_envelope, envelope_to_entry
from chassis.texts import is_storable

V = TypeVar("V", bound=BaseModel)
SEEN_KEPT = 64
LISTING: Index = ("org", "removed", "_id")
"""The index of a `find` that names no keys."""
Keys = Mapping[str, str | bool | int]
Result = dict[str, JsonValue] | Problem


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
        self, org: OrganizationId, record_id: str, *, cause: Envelope[Message] | None = None
    ) -> Aggregate[V]:
        """Load for writing. Raises `AlreadyHandled` when `cause` was handled on this aggregate before."""
        ...

    async def get(self, org: OrganizationId, record_id: str) -> V | None:
        """Load for reading; None when it is not there, was removed, or belongs to another organization."""
        ...

    async def save(
        self,
        record: Aggregate[V],
        value: V | None,
        *,
        events: Sequence[Event] = (),
        cause: Envelope[Message] | None = None,
        result: Result | None = None,
        partial: bool = False,
    ) -> Aggregate[V]:
        """Save a new value (None removes) with its events and, for a command, its outcome; then announce them.

        The next load sees the cause as handled. A `partial` save is one of several that a command needs: the outcome
        comes with the last. A `Problem` as result refuses the command. Raises `LostRace` when somebody saved since
        the load, `Conflict` when the id is another organization's.
        """
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

    async def drop(self, record: Aggregate[V]) -> None:
        """Remove a record with all it remembers. Only for one that nothing is heard of any more, and that has nothing
        to announce. One that was saved since the load stays."""
        ...


@dataclass
class MongoAggregates(Generic[V]):
    """`Aggregates` in a MongoDB collection.

    `keys` gives the top-level fields. `indexes` has one for each set of keys that is asked for: `org`, the keys, `_id`;
    or `LISTING`. `obsolete` names indexes that earlier versions made.
    """

    collection: Collection
    model: type[V]
    outbox: Outbox
    keys: Callable[[V], Keys] = field(default=lambda _: {})
    indexes: tuple[Index, ...] = ()
    obsolete: tuple[str, ...] = ()

    async def setup(self) -> None:
        """Make the indexes and let the outbox find the collection."""
        # Earlier versions gave every collection of aggregates an index on `org` alone, whether it was asked for or not.
        await ensure_indexes(self.collection, *self.indexes, obsolete=("org_1", *self.obsolete))
        self.outbox.watch(self.collection)

    async def load(
        self, org: OrganizationId, record_id: str, *, cause: Envelope[Message] | None = None
    ) -> Aggregate[V]:
        """See `Aggregates`."""
        if not is_storable(record_id):
            return Aggregate[V](record_id, org)
        found = await self.collection.find_one({"_id": record_id, "org": org})
        record = self._record(found) if found else Aggregate[V](record_id, org)
        raise_if_seen(record, cause)
        return record

    async def get(self, org: OrganizationId, record_id: str) -> V | None:
        """See `Aggregates`."""
        if not is_storable(record_id):
            return None
        found = await self.collection.find_one({"_id": record_id, "org": org}, {"value": 1})
        return self._value(found) if found else None

    async def save(
        self,
        record: Aggregate[V],
        value: V | None,
        *,
        events: Sequence[Event] = (),
        cause: Envelope[Message] | None = None,
        result: Result | None = None,
        partial: bool = False,
    ) -> Aggregate[V]:
        """See `Aggregates`. Raises `Invalid` for an id that no server can keep."""
        if not is_storable(record.id):
            raise Invalid("id_invalid", "An id must not contain control characters.")
        revision = record.revision + 1
        messages, seen = messages_of(
            record, events, cause, result=None if partial else result or {}, service=self.outbox.service
        )
        entries = [
            envelope_to_entry(m, kind=self.collection.name, record_id=record.id, revision=revision) for m in messages
        ]
        unsent = await self.outbox.unsent(self.collection.name, record.id, record.outbox)
        if entries:
            await self.outbox.mark(self.collection.name, record.id, revision)
        document = self._document(record, value, revision=revision, outbox=[*unsent, *entries], seen=seen)
        await self._write(record, document)
        await self.outbox.send(self.collection.name, record.id, document["outbox"])
        return self._record(document)

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
        """See `Aggregates`."""
        sought = [*(where or {}).values(), search.text if search else ""]
        if not all(is_storable(v) for v in sought if isinstance(v, str)):
            return Page[V](total=0, items=[])
        # What was removed has no keys, so `removed` is asked for only where no key is: an index then serves the count.
        query: Document = {**where, "org": org} if where else {"org": org, "removed": False}
        if search and search.text:
            query["$or"] = [{f"value.{f}": {"$regex": _literal(search.text), "$options": "i"}} for f in search.fields]
        cursor = self.collection.find(query, {"value": 1}).sort("_id", -1 if newest_first else 1)
        found = [self._value(d) async for d in cursor.skip(offset).limit(limit)]
        total = await self.collection.count_documents(query) if limit or offset else len(found)
        return Page[V](total=total, items=[v for v in found if v is not None])

    async def drop(self, record: Aggregate[V]) -> None:
        """See `Aggregates`."""
        await self.collection.delete_one({"_id": record.id, "revision": record.revision})
        self.outbox.forget(self.collection.name, record.id)

    def _document(
        self, record: Aggregate[V], value: V | None, *, revision: int, outbox: list[Document], seen: list[Document]
    ) -> Document:
        return {
            "_id": record.id,
            "org": record.organization_id,
            "revision": revision,
            "removed": value is None,
            "value": value.model_dump(mode="python", by_alias=True) if value is not None else None,
            "outbox": outbox,
            "seen": seen,
            **(self.keys(value) if value is not None else {}),
        }

    async def _write(self, record: Aggregate[V], document: Document) -> None:
        if record.revision == 0:
            try:
                await self.collection.insert_one(document)
            except DuplicateKeyError as error:
                raise await self._taken(record) from error
            return
        done = await self.collection.replace_one({"_id": record.id, "revision": record.revision}, document)
        if done.matched_count == 0:
            raise LostRace(f"{self.collection.name} {record.id}")

    async def _taken(self, record: Aggregate[V]) -> CairnError:
        """Why a first save met a document: somebody else's stays for ever, to try again would not help."""
        found = await self.collection.find_one({"_id": record.id}, {"org": 1})
        if found and found["org"] != record.organization_id:
            return id_taken()
        return LostRace(f"{self.collection.name} {record.id}")

    def _value(self, document: Document) -> V | None:
        value = document.get("value")
        return None if value is None else self.model.model_validate(value)

    def _record(self, document: Document) -> Aggregate[V]:
        return Aggregate(
            id=document["_id"],
            organization_id=document["org"],
            revision=document["revision"],
            value=self._value(document),
            outbox=tuple(document["outbox"]),
            seen=tuple(document["seen"]),
        )


@dataclass
class MemoryAggregates(Generic[V]):
    """`Aggregates` in memory, for unit tests of use cases. Announces by appending to `published`."""

    model: type[V]
    keys: Callable[[V], Keys] = field(default=lambda _: {})
    service: str = "memory"
    published: list[Envelope[Message]] = field(default_factory=list)
    _kept: dict[str, Aggregate[V]] = field(default_factory=dict)

    async def load(
        self, org: OrganizationId, record_id: str, *, cause: Envelope[Message] | None = None
    ) -> Aggregate[V]:
        """See `Aggregates`."""
        found = self._kept.get(record_id)
        record = found if found and found.organization_id == org else Aggregate[V](record_id, org)
        raise_if_seen(record, cause)
        return record

    async def get(self, org: OrganizationId, record_id: str) -> V | None:
        """See `Aggregates`."""
        return (await self.load(org, record_id)).value

    async def save(
        self,
        record: Aggregate[V],
        value: V | None,
        *,
        events: Sequence[Event] = (),
        cause: Envelope[Message] | None = None,
        result: Result | None = None,
        partial: bool = False,
    ) -> Aggregate[V]:
        """See `Aggregates`."""
        kept = self._kept.get(record.id)
        if kept and kept.organization_id != record.organization_id:
            raise id_taken()
        if (kept.revision if kept else 0) != record.revision:
            raise LostRace(record.id)
        messages, seen = messages_of(
            record, events, cause, result=None if partial else result or {}, service=self.service
        )
        saved = Aggregate(record.id, record.organization_id, record.revision + 1, value, (), tuple(seen))
        self._kept[record.id] = saved
        self.published.extend(messages)
        return saved

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
        """See `Aggregates`."""
        records = sorted(self._kept.values(), key=lambda r: r.id, reverse=newest_first)
        values = [r.value for r in records if r.organization_id == org and r.value is not None]
        chosen = [v for v in values if (where or {}).items() <= dict(self.keys(v)).items() and _matches(v, search)]
        return Page[V](total=len(chosen), items=chosen[offset : offset + limit if limit else None])

    async def drop(self, record: Aggregate[V]) -> None:
        """See `Aggregates`."""
        kept = self._kept.get(record.id)
        if kept is not None and kept.revision == record.revision:
            del self._kept[record.id]


def id_taken() -> Conflict:
    """The refusal of an id that another organization uses; says no more than that it cannot be had."""
    return Conflict("id_taken", "This id cannot be used; choose another.")


def raise_if_seen(record: Aggregate[Any], cause: Envelope[Message] | None) -> None:
    """Raise `AlreadyHandled` when the record remembers the message."""
    for seen in record.seen if cause else ():
        if (seen["source"], seen["id"]) == cause.identity:  # type: ignore[union-attr]
            outcome = entry_to_envelope(seen["outcome"]) if seen.get("outcome") else None
            raise AlreadyHandled(outcome)  # type: ignore[arg-type]


def messages_of(
    record: Aggregate[Any],
    events: Sequence[Event],
    cause: Envelope[Message] | None,
    *,
    result: Result | None,
    service: str,
) -> tuple[list[Envelope[Message]], list[Document]]:
    """What a save announces: the events, then the outcome if a command caused it; and what the record remembers.

    `result` None: the outcome comes later.
    """
    messages: list[Envelope[Message]] = [envelope(e, service=service, cause=cause) for e in events]
    if cause is None:
        return messages, list(record.seen)
    remembered: Document = {"source": cause.source, "id": cause.id}
    if is_command(cause) and result is not None:
        outcome = _outcome(cause, result, service)
        messages.append(outcome)
        remembered["outcome"] = envelope_to_entry(outcome, kind="outcome", record_id=record.id, revision=0)
    return messages, [*record.seen, remembered][-SEEN_KEPT:]


def _outcome(cause: Envelope[Message], result: Result, service: str) -> Envelope[CommandOutcome]:
    if isinstance(result, Problem):
        return refused(cause, result, service=service)
    return accepted(cause, result, service=service)


def _literal(text: str) -> str:
    return "".join(c if c.isalnum() or c in " _/:" or not c.isascii() else f"\\{c}" for c in text)


def _matches(value: BaseModel, search: Search | None) -> bool:
    if search is None or not search.text:
        return True
    return any(search.text.lower() in str(getattr(value, f)).lower() for f in search.fields)
