"""Reads and writes of many documents in few calls. What becomes of one says nothing about the others."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from typing import TypeVar

from pymongo import UpdateMany
from pymongo.errors import BulkWriteError

from chassis.persistence.batches import DUPLICATE_KEY
from chassis.persistence.mongo import Collection, Document

T = TypeVar("T")
Updates = Mapping[str, tuple[int, Document]]
"""By `_id`: the revision that a document must have, and what is changed in it."""


async def in_batches(
    documents: AsyncIterable[Document], take: Callable[[Document], T | None], *, batch: int
) -> AsyncIterator[list[T]]:
    """What `take` makes of documents, without those of which it makes None."""
    found: list[T] = []
    async for document in documents:
        if (taken := take(document)) is not None:
            found.append(taken)
        if len(found) == batch:
            yield found
            found = []
    if found:
        yield found


async def insert_missing(collection: Collection, documents: Sequence[Document]) -> list[str]:
    """Insert documents; returns the ids of those that were there, and stay as they are."""
    if not documents:
        return []
    try:
        await collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        details = error.details or {}
        failed = details.get("writeErrors", ())
        if details.get("writeConcernErrors") or any(each.get("code") != DUPLICATE_KEY for each in failed):
            raise
        return [documents[each["index"]]["_id"] for each in failed]
    return []


async def update_each(collection: Collection, updates: Updates) -> list[str]:
    """Update documents that have the revisions they should; returns the ids of all when some have another one."""
    if not updates:
        return []
    # By `_id` and revision alone, as single saves are. One call with a filter for all would read the collection.
    # "Many" of the one that there is: for each single update, FerretDB keeps a connection until the whole call is done,
    # and waits for ever for more of them than it has.
    asked = [UpdateMany({"_id": id_, "revision": revision}, change) for id_, (revision, change) in updates.items()]
    done = await collection.bulk_write(asked, ordered=False)
    return [] if done.matched_count == len(updates) else list(updates)
