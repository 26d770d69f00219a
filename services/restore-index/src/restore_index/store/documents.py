"""Documents most of which are written once: the port, over MongoDB and in memory."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from chassis.persistence.mongo import Collection, Document, insert_new
from chassis.texts import is_storable
from pymongo.errors import BulkWriteError

WRITES_AT_ONCE = 16


class Documents(Protocol):
    """A collection of documents that hardly ever change."""

    async def insert(self, documents: Sequence[Document]) -> None:
        """Store documents in their order; existing ones stay as they are.

        A process that dies on the way leaves a beginning of the sequence.
        """
        ...

    async def insert_new(self, document: Document) -> bool:
        """Store a document; False when its `_id` is taken."""
        ...

    async def put(self, documents: Sequence[Document]) -> None:
        """Store documents, replacing existing ones with their ids. Only one process at a time may do this."""
        ...

    async def delete(self, document_ids: Sequence[str]) -> None:
        """Remove documents; a missing one is no error. Only one process at a time may do this."""
        ...

    async def get(self, document_id: str, *, without: str | None = None) -> Document | None:
        """One document; `without` names a large field to be left out."""
        ...


@dataclass(frozen=True)
class MongoDocuments:
    """`Documents` in a MongoDB collection."""

    collection: Collection

    async def insert(self, documents: Sequence[Document]) -> None:
        """See `Documents`. One call, unless some are there already."""
        if not documents:
            return
        try:
            await self.collection.insert_many(documents, ordered=True)
        except BulkWriteError as error:
            if any(e["code"] != _DUPLICATE for e in error.details["writeErrors"]):
                raise
            for document in documents:
                # An ordered insert stops at the first document that is there already: the others follow one by one.
                await self.insert_new(document)

    async def insert_new(self, document: Document) -> bool:
        """See `Documents`."""
        return await insert_new(self.collection, document)

    async def put(self, documents: Sequence[Document]) -> None:
        """See `Documents`."""
        for start in range(0, len(documents), WRITES_AT_ONCE):
            await asyncio.gather(*map(self._put, documents[start : start + WRITES_AT_ONCE]))

    async def delete(self, document_ids: Sequence[str]) -> None:
        """See `Documents`."""
        for start in range(0, len(document_ids), WRITES_AT_ONCE):
            names = document_ids[start : start + WRITES_AT_ONCE]
            await asyncio.gather(*(self.collection.delete_one({"_id": name}) for name in names))

    async def _put(self, document: Document) -> None:
        await self.collection.replace_one({"_id": document["_id"]}, document, upsert=True)

    async def get(self, document_id: str, *, without: str | None = None) -> Document | None:
        """See `Documents`."""
        if not is_storable(document_id):
            return None
        return await self.collection.find_one({"_id": document_id}, {without: False} if without else None)


# MongoDB's code for a key that is taken; a bulk write raises no error class of its own for it.
_DUPLICATE = 11000


@dataclass(frozen=True)
class MemoryDocuments:
    """`Documents` in memory, for unit tests."""

    kept: dict[str, Document] = field(default_factory=dict)

    async def insert(self, documents: Sequence[Document]) -> None:
        """See `Documents`."""
        for document in documents:
            await self.insert_new(document)

    async def insert_new(self, document: Document) -> bool:
        """See `Documents`."""
        return self.kept.setdefault(document["_id"], document) is document

    async def put(self, documents: Sequence[Document]) -> None:
        """See `Documents`."""
        self.kept.update((document["_id"], document) for document in documents)

    async def delete(self, document_ids: Sequence[str]) -> None:
        """See `Documents`."""
        for name in document_ids:
            self.kept.pop(name, None)

    async def get(self, document_id: str, *, without: str | None = None) -> Document | None:
        """See `Documents`."""
        found = self.kept.get(document_id)
        return {k: v for k, v in found.items() if k != without} if found and without else found
