"""Aggregates in MongoDB.

A document: `_id`, `org`, `revision`, `removed`, `value` (the aggregate), `outbox`, `seen`, and the fields that queries
lead with, copied to the top level by the store.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic

from contracts.envelope import Envelope
from contracts.errors import CairnError, Invalid
from contracts.messages.base import Message
from contracts.values import OrganizationId

from chassis.errors import LostRace
from chassis.persistence.aggregates import (
    Aggregate,
    AlreadyHandled,
    Announce,
    Change,
    Kept,
    Keys,
    Page,
    Result,
    Rewrite,
    Search,
    V,
    id_taken,
)
from chassis.persistence.batches import inserts
from chassis.persistence.mongo import Collection, Document, DuplicateKeyError, Index, ensure_indexes, find_own
from chassis.persistence.mongo_bulk import in_batches, insert_missing, update_each
from chassis.persistence.mongo_queries import can_match, query_of
from chassis.persistence.outbox import Outbox, envelope_to_entry
from chassis.persistence.revisions import Revision, next_revision, raise_if_handled
from chassis.texts import is_storable

LISTING: Index = ("org", "removed", "_id")
"""The index of a `find` that names no keys."""


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

    def __post_init__(self) -> None:
        """Several may save at once for the first time, each another aggregate: they share calls to the database."""
        self._inserts = inserts(self.collection)

    async def setup(self) -> None:
        """Make the indexes and let the outbox find the collection."""
        # Earlier versions gave every collection of aggregates an index on `org` alone, whether it was asked for or not.
        await ensure_indexes(self.collection, *self.indexes, obsolete=("org_1", *self.obsolete))
        self.outbox.watch(self.collection)

    async def load(
        self, org: OrganizationId, aggregate_id: str, *, cause: Envelope[Message] | None = None
    ) -> Aggregate[V]:
        """See `Aggregates`."""
        if not is_storable(aggregate_id):
            return Aggregate[V](aggregate_id, org)
        found = await find_own(self.collection, org, aggregate_id)
        aggregate = self._aggregate(found) if found else Aggregate[V](aggregate_id, org)
        try:
            raise_if_handled(aggregate, cause)
        except AlreadyHandled:
            # Of a process that died, perhaps: the outcome is about to be sent again, and comes after what it announces.
            await self.outbox.send_left(self.collection.name, aggregate_id, aggregate.outbox)
            raise
        return aggregate

    async def get(self, org: OrganizationId, aggregate_id: str) -> V | None:
        """See `Aggregates`."""
        if not is_storable(aggregate_id):
            return None
        found = await find_own(self.collection, org, aggregate_id, fields=("value",))
        return self._value(found) if found else None

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
        """See `Aggregates`. Raises `Invalid` for an id that no server can keep."""
        saved, announce = await self.write(aggregate, Change(value, events, cause, result, partial))
        await announce()
        return saved

    async def write(self, aggregate: Aggregate[V], change: Change[V]) -> tuple[Aggregate[V], Announce]:
        """See `Aggregates`. Raises as `save` does."""
        if not is_storable(aggregate.id):
            raise Invalid("id_invalid", "An id must not contain control characters.")
        revision = next_revision(aggregate, change, service=self.outbox.service)
        document = self._document(aggregate.id, aggregate.organization_id, revision)
        document["outbox"] = await self._pending(aggregate, revision)
        await self._write(aggregate, document)

        async def announce() -> bool:
            entries = document["outbox"]
            return await self.outbox.send(self.collection.name, aggregate.id, entries, made=revision.messages)

        return self._aggregate(document), announce

    async def _pending(self, aggregate: Aggregate[V], revision: Revision[V]) -> list[Document]:
        """The messages that a document is saved with: those of the revision, after those nobody has sent yet."""
        kind = self.collection.name
        entries = [
            envelope_to_entry(m, kind=kind, aggregate_id=aggregate.id, revision=revision.number)
            for m in revision.messages
        ]
        unsent = await self.outbox.unsent(kind, aggregate.id, aggregate.outbox)
        if entries:
            # Before the save: a process that dies between the two leaves a mark without messages, which the sweep
            # removes, and never messages without a mark, which nobody would look for.
            await self.outbox.mark(kind, aggregate.id, revision.number)
        return [*unsent, *entries]

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
        if not can_match(where, search):
            return Page[V](total=0, items=[])
        query = query_of(org, where, search)
        cursor = self.collection.find(query, {"value": 1}).sort("_id", -1 if newest_first else 1)
        found = [self._value(d) async for d in cursor.skip(offset).limit(limit)]
        total = await self.collection.count_documents(query) if limit or offset else len(found)
        return Page[V](total=total, items=[v for v in found if v is not None])

    async def scan(
        self, org: OrganizationId, where: Keys | None = None, *, batch: int = 500
    ) -> AsyncIterator[list[Kept[V]]]:
        """See `Aggregates`."""
        if not can_match(where):
            return

        def kept(document: Document) -> Kept[V] | None:
            value = self._value(document)
            return Kept(document["_id"], document["revision"], value) if value is not None else None

        cursor = self.collection.find(query_of(org, where), {"revision": 1, "value": 1}).sort("_id", 1)
        async for found in in_batches(cursor.batch_size(batch), kept, batch=batch):
            yield found

    async def scan_all(self, *, batch: int = 500) -> AsyncIterator[list[tuple[OrganizationId, V]]]:
        """See `Aggregates`."""

        def owned(document: Document) -> tuple[OrganizationId, V] | None:
            value = self._value(document)
            return (document["org"], value) if value is not None else None

        cursor = self.collection.find({}, {"org": 1, "value": 1}).sort("_id", 1).batch_size(batch)
        async for found in in_batches(cursor, owned, batch=batch):
            yield found

    async def save_many(self, org: OrganizationId, rewrites: Sequence[Rewrite[V]]) -> None:
        """See `Aggregates`."""
        new = [self._document(each.id, org, Revision(1, each.after, [])) for each in rewrites if not each.revision]
        for id_ in await insert_missing(self.collection, new):
            await self._check_own(org, id_)
        updates = {each.id: (each.revision, self._update(each)) for each in rewrites if each.revision}
        for id_ in await update_each(self.collection, updates):
            found = await self._check_own(org, id_)
            if found is None or found["revision"] <= updates[id_][0]:
                raise LostRace(f"{self.collection.name} {id_}")

    def _update(self, rewrite: Rewrite[V]) -> Document:
        changed = self._document(rewrite.id, OrganizationId(""), Revision(rewrite.revision + 1, rewrite.after, []))
        # The organization stays, and so does what is remembered.
        fields = {name: changed[name] for name in changed.keys() - {"_id", "org", "outbox", "seen"}}
        gone = (self.keys(rewrite.before).keys() if rewrite.before is not None else set()) - changed.keys()
        return {"$set": fields} | ({"$unset": dict.fromkeys(gone, "")} if gone else {})

    async def _check_own(self, org: OrganizationId, id_: str) -> Document | None:
        if (found := await self.collection.find_one({"_id": id_}, {"org": 1, "revision": 1})) and found["org"] != org:
            raise id_taken()
        return found

    async def drop(self, aggregate: Aggregate[V]) -> None:
        """See `Aggregates`."""
        await self.collection.delete_one({"_id": aggregate.id, "revision": aggregate.revision})
        self.outbox.forget(self.collection.name, aggregate.id)

    def _document(self, id_: str, org: OrganizationId, revision: Revision[V]) -> Document:
        value = revision.value
        return {
            "_id": id_,
            "org": org,
            "revision": revision.number,
            "removed": value is None,
            "value": value.model_dump(mode="python", by_alias=True) if value is not None else None,
            "outbox": [],
            "seen": revision.seen,
            **(self.keys(value) if value is not None else {}),
        }

    async def _write(self, aggregate: Aggregate[V], document: Document) -> None:
        if aggregate.revision == 0:
            try:
                await self._inserts.ask(document)
            except DuplicateKeyError as error:
                raise await self._taken(aggregate) from error
            return
        done = await self.collection.replace_one({"_id": aggregate.id, "revision": aggregate.revision}, document)
        if done.matched_count == 0:
            raise LostRace(f"{self.collection.name} {aggregate.id}")

    async def _taken(self, aggregate: Aggregate[V]) -> CairnError:
        """Why a first save met a document: somebody else's stays for ever, to try again would not help."""
        await self._check_own(aggregate.organization_id, aggregate.id)
        return LostRace(f"{self.collection.name} {aggregate.id}")

    def _value(self, document: Document) -> V | None:
        value = document.get("value")
        return None if value is None else self.model.model_validate(value)

    def _aggregate(self, document: Document) -> Aggregate[V]:
        return Aggregate(
            id=document["_id"],
            organization_id=document["org"],
            revision=document["revision"],
            value=self._value(document),
            outbox=tuple(document["outbox"]),
            seen=tuple(document["seen"]),
        )
