"""Writes of many documents in one call. What becomes of one says nothing about the others."""

from collections.abc import Mapping, Sequence

from pymongo import UpdateMany
from pymongo.errors import BulkWriteError

from chassis.persistence.batches import DUPLICATE_KEY
from chassis.persistence.mongo import Collection, Document

Updates = Mapping[str, tuple[int, Document]]
"""By `_id`: the revision that a document must have, and what is changed in it."""


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
