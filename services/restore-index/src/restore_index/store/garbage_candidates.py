"""Garbage-collection candidates: the marked directories of a store, in documents `<store>/<part>`, and the progress."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable

from chassis.persistence.aggregates import Aggregate, Aggregates, Keys
from chassis.persistence.mongo import Collection
from chassis.persistence.mongo_aggregates import MongoAggregates
from chassis.runtime.service_runtime import ServiceRuntime
from contracts.values import AppId, OrganizationId

from restore_index.domain import garbage_collection
from restore_index.domain.garbage_collection import CollectionState
from restore_index.domain.hash_table import HashTable
from restore_index.store.documents import Documents, MongoDocuments

PART_NUMBER_BYTES = 4
Pending = Callable[[], Awaitable[list[tuple[OrganizationId, CollectionState]]]]
"""Gives the stores of all organizations in which a step is to be taken, now or later."""


def state_keys(state: CollectionState) -> Keys:
    """What queries for stores with work lead with."""
    return {"pending": "yes"} if state.is_pending else {}


class GarbageCandidates:
    """Marked directories. Only handlers of the store's own events write, one at a time; every process reads."""

    def __init__(self, states: Aggregates[CollectionState], parts: Documents, pending: Pending) -> None:
        self.states = states
        self.pending = pending
        self._parts = parts

    async def of(self, org: OrganizationId, store_id: str) -> CollectionState:
        """How far garbage collection has come in a store."""
        return await self.states.get(org, store_id) or CollectionState(store_id=AppId(store_id))

    async def load(self, org: OrganizationId, store_id: str) -> tuple[Aggregate[CollectionState], CollectionState]:
        """The same, together with the aggregate to be saved."""
        record = await self.states.load(org, store_id)
        return record, record.value or CollectionState(store_id=AppId(store_id))

    async def marked(self, org: OrganizationId, state: CollectionState) -> HashTable:
        """The ids of all marked directories, each with the number of its part."""
        found = HashTable(PART_NUMBER_BYTES)
        for number in range(state.parts):
            for tree in garbage_collection.ids_in(await self.part(org, state.store_id, number)):
                found.put(tree, number.to_bytes(PART_NUMBER_BYTES))
        return found

    async def part(self, org: OrganizationId, store_id: str, number: int) -> bytes:
        """The ids in one part, side by side."""
        found = await self._parts.get(f"{store_id}/{number}")
        return bytes(found["ids"]) if found and found["org"] == org else b""

    async def put(self, org: OrganizationId, store_id: str, number: int, ids: bytes) -> None:
        """Store one part, in place of what it was."""
        await self._parts.put([{"_id": f"{store_id}/{number}", "org": org, "ids": ids}])

    async def clear(self, store_id: str, *, start: int = 0) -> None:
        """Remove the parts from a number on."""
        end = start
        while await self._parts.get(f"{store_id}/{end}", without="ids"):
            end += 1
        # The last ones first: whoever dies on the way leaves no gap, and the next call finds the rest.
        for number in range(end - 1, start - 1, -1):
            await self._parts.delete([f"{store_id}/{number}"])

    async def unmark(self, org: OrganizationId, store_id: str, marked: HashTable, trees: Iterable[bytes]) -> None:
        """Take back the marks of directories that were written anew."""
        unmarked: dict[int, set[bytes]] = defaultdict(set)
        for tree in trees:
            found = marked.get(tree)
            if found is not None:
                unmarked[int.from_bytes(found)].add(tree)
        if not unmarked:
            return
        for number, those in unmarked.items():
            left = [
                tree for tree in garbage_collection.ids_in(await self.part(org, store_id, number)) if tree not in those
            ]
            await self.put(org, store_id, number, b"".join(left))
        record, state = await self.load(org, store_id)
        await self.states.save(record, garbage_collection.unmark(state))


def all_pending(collection: Collection) -> Pending:
    """See `Pending`."""

    async def pending() -> list[tuple[OrganizationId, CollectionState]]:
        # Index (pending). Few stores have it, so it needs no organization in front.
        found = collection.find({"pending": "yes"}, {"org": 1, "value": 1})
        return [(OrganizationId(each["org"]), CollectionState.model_validate(each["value"])) async for each in found]

    return pending


async def open_garbage_candidates(runtime: ServiceRuntime) -> GarbageCandidates:
    """The candidates in MongoDB, with the indexes made."""
    database = runtime.database
    states = MongoAggregates(
        database["sweeps"], CollectionState, runtime.outbox, keys=state_keys, indexes=(("pending",),)
    )
    await states.setup()
    return GarbageCandidates(states, MongoDocuments(database["condemned"]), all_pending(database["sweeps"]))
