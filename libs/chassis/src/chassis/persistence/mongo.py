"""The one place that opens MongoDB. The driver is PyMongo's async client."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from pymongo import AsyncMongoClient, monitoring
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import (
    AutoReconnect,
    ConnectionFailure,
    DuplicateKeyError,
    OperationFailure,
    PyMongoError,
    WriteError,
)

from chassis.errors import Unavailable
from chassis.runtime.settings import CommonSettings
from chassis.telemetry import semantic_conventions as semconv

Document = dict[str, Any]
Collection = AsyncCollection[Document]
Database = AsyncDatabase[Document]
Index = tuple[str, ...]
"""The fields of an index, in its order: those a query compares for equality, then its sort, then its range.

All ascending, as a server reads an index in either direction.
"""

__all__ = [
    "Collection",
    "Database",
    "Document",
    "DuplicateKeyError",
    "Index",
    "PyMongoError",
    "Unavailable",
    "WriteError",
    "ensure_indexes",
    "find_own",
    "insert_new",
    "open_database",
]

_TRACED = frozenset({"find", "insert", "update", "delete", "aggregate", "count", "findAndModify", "getMore"})
UNREACHABLE = ConnectionFailure | AutoReconnect
_INDEX_NOT_FOUND = 27


class CommandSpans(monitoring.CommandListener):
    """A client span for each database command of a traced request. Carries names, never values."""

    def __init__(self) -> None:
        self._open: dict[int, Span] = {}

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Open the span."""
        if event.command_name not in _TRACED or not trace.get_current_span().get_span_context().is_valid:
            return
        collection = str(event.command.get(event.command_name, ""))
        self._open[event.request_id] = trace.get_tracer("cairn").start_span(
            f"{event.command_name} {collection}",
            kind=SpanKind.CLIENT,
            attributes={
                semconv.DB_SYSTEM: "mongodb",
                semconv.DB_NAMESPACE: event.database_name,
                semconv.DB_COLLECTION: collection,
                semconv.DB_OPERATION: event.command_name,
            },
        )

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Close the span."""
        if found := self._open.pop(event.request_id, None):
            found.end()

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Close the span as an error."""
        if found := self._open.pop(event.request_id, None):
            found.set_status(Status(StatusCode.ERROR))
            found.end()


async def find_own(
    collection: Collection, org: str, document_id: str, *, fields: Sequence[str] = ()
) -> Document | None:
    """A document of an organization by its `_id`, whole or `fields` of it; None for one of another organization.

    The server is asked by `_id` alone. Asked for the organization as well, PostgreSQL below FerretDB reads the index
    entries of all the organization's documents beside that of the id, as long as it has no statistics about them.
    """
    found = await collection.find_one({"_id": document_id}, ["org", *fields] if fields else None)
    return found if found and found["org"] == org else None


async def insert_new(collection: Collection, document: Document) -> bool:
    """Insert a document unless one with its id is there; whether it was inserted. Of several at once exactly one is.

    Looks first: to the server an insert that is refused is an error, which it logs, and most that come too late come
    late enough to see why.
    """
    if await collection.find_one({"_id": document["_id"]}, {"_id": 1}):
        return False
    try:
        await collection.insert_one(document)
    except DuplicateKeyError:
        return False
    return True


async def ensure_indexes(collection: Collection, *indexes: Index, obsolete: Sequence[str] = ()) -> None:
    """Have these indexes, then none with the names in `obsolete`, which earlier versions made.

    Only missing ones are made, and what nobody names here stays. Several processes may do so at once.
    """
    there = await collection.index_information()
    made = [info["key"] for info in there.values()]
    for index in indexes:
        keys = [(field, 1) for field in index]
        if keys not in made:
            # One to a call: FerretDB ends the connection over a call for several of which two are there by now.
            await collection.create_index(keys)
    # Last, so that at no time a query of a process that still runs the earlier version is without an index.
    for name in there.keys() & set(obsolete):
        await _drop_index(collection, name)


async def _drop_index(collection: Collection, name: str) -> None:
    try:
        await collection.drop_index(name)
    except OperationFailure as error:
        # Another process that started at the same time dropped it first.
        if error.code != _INDEX_NOT_FOUND:
            raise


@asynccontextmanager
async def open_database(settings: CommonSettings, name: str) -> AsyncIterator[Database]:
    """The database of one service, `<prefix><name>`.

    A server is looked for during 10 s. How long an answer is waited for is the deadline of the request.
    """
    # No socketTimeoutMS: with one, PyMongo sends through asyncio.wait_for, which on Python 3.11 loses a cancellation
    # that comes while the send ends. A worker's keeper then went on for ever.
    listeners = [CommandSpans()] if settings.otlp_endpoint else []
    client: AsyncMongoClient[Document] = AsyncMongoClient(
        settings.mongodb_uri,
        tz_aware=True,
        serverSelectionTimeoutMS=10_000,
        maxPoolSize=32,
        event_listeners=listeners,
        appname=f"cairn-{name}",
    )
    try:
        yield client[f"{settings.database_prefix}{name.replace('-', '_')}"]
    finally:
        await client.close()
