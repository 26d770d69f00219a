"""The one place that opens MongoDB. The driver is PyMongo's async client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from pymongo import AsyncMongoClient, monitoring
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import AutoReconnect, ConnectionFailure, DuplicateKeyError, PyMongoError, WriteError

from chassis.errors import Unavailable
from chassis.runtime.settings import CommonSettings
from chassis.telemetry import semantic_conventions as semconv

Document = dict[str, Any]
Collection = AsyncCollection[Document]
Database = AsyncDatabase[Document]

__all__ = [
    "Collection",
    "Database",
    "Document",
    "DuplicateKeyError",
    "PyMongoError",
    "Unavailable",
    "WriteError",
    "ensure_indexes",
    "insert_new",
    "open_database",
]

_TRACED = frozenset({"find", "insert", "update", "delete", "aggregate", "count", "findAndModify", "getMore"})
UNREACHABLE = ConnectionFailure | AutoReconnect


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


async def ensure_indexes(collection: Collection, *fields: str) -> None:
    """Have an index on each of the fields. Only missing ones are made; several processes may do so at once."""
    there = {info["key"][0][0] for info in (await collection.index_information()).values() if len(info["key"]) == 1}
    for field in fields:
        if field not in there:
            # One to a call: FerretDB ends the connection over a call for several of which two are there by now.
            await collection.create_index(field)


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
