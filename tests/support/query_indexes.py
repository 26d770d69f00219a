"""Which queries a store sends, and whether an index serves each: its equalities, its sort and its range."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from chassis.messaging.rejected_commands import RejectedCommands
from chassis.persistence.mongo import Document
from chassis.persistence.outbox import Outbox
from chassis.runtime.service_runtime import ServiceRuntime
from chassis.runtime.settings import CommonSettings
from chassis.runtime.supervision import LoopSupervisor
from pymongo import AsyncMongoClient, monitoring

from tests.support.notebook import Notebook


@dataclass(frozen=True)
class Query:
    """A query as it was sent, without its values."""

    collection: str
    equal: frozenset[str]
    ranged: frozenset[str] = frozenset()
    sort: tuple[tuple[str, int], ...] = ()

    def is_served_by(self, index: Iterable[str]) -> bool:
        """Whether a server that reads the index reads nothing else, and in order: equalities, sort, range."""
        fields = tuple(index)
        begun = len(self.equal)
        ordered = fields[begun : begun + len(self.sort)]
        return (
            frozenset(fields[:begun]) == self.equal
            and ordered == tuple(name for name, _ in self.sort)
            and len({direction for _, direction in self.sort}) <= 1
            and self.ranged <= frozenset(fields[begun : begun + max(len(self.sort), len(self.ranged))])
        )


class QueryLog(monitoring.CommandListener):
    """The queries of a client, in `sent`."""

    def __init__(self) -> None:
        self.sent: set[Query] = set()

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Take down what a command looks for."""
        command, name = event.command, event.command_name
        match name:
            case "find":
                self._add(command[name], command.get("filter", {}), command.get("sort", {}))
            case "aggregate":
                self._add(command[name], command["pipeline"][0]["$match"], {})
            case "delete" | "update":
                for each in command[f"{name}s"]:
                    self._add(command[name], each["q"], {})

    def _add(self, collection: str, filters: Mapping[str, Any], sort: Mapping[str, int]) -> None:
        # A text that values must contain cannot be looked up: the rest of the query narrows down what is read for it.
        named = {name: wanted for name, wanted in filters.items() if name != "$or"}
        ranged = frozenset(name for name, wanted in named.items() if isinstance(wanted, Mapping))
        self.sent.add(Query(collection, frozenset(named) - ranged, ranged, tuple(sort.items())))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Say nothing."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Say nothing."""


@dataclass
class QueriedRuntime:
    """A service's runtime whose messages go nowhere, and the queries that go through it."""

    runtime: ServiceRuntime
    log: QueryLog = field(default_factory=QueryLog)

    async def unserved(self) -> set[Query]:
        """Queries that no index of their collection serves."""
        # A collection without a document may have no index at all, not even that of `_id`.
        names = {query.collection for query in self.log.sent if "_id" not in query.equal}
        return {query for name in names for query in await self._unserved(name)}

    async def _unserved(self, collection: str) -> set[Query]:
        infos = (await self.runtime.database[collection].index_information()).values()
        indexes = [[name for name, _ in info["key"]] for info in infos]
        sent = (query for query in self.log.sent if query.collection == collection and "_id" not in query.equal)
        return {query for query in sent if not any(query.is_served_by(index) for index in indexes)}

    async def unused(self) -> set[tuple[str, str]]:
        """Collections and names of indexes that serve no query that was sent."""
        return {
            (collection, name)
            for collection in await self.runtime.database.list_collection_names()
            for name, info in (await self.runtime.database[collection].index_information()).items()
            if name != "_id_" and not self._is_used(collection, [field for field, _ in info["key"]])
        }

    def _is_used(self, collection: str, index: list[str]) -> bool:
        return any(query.collection == collection and query.is_served_by(index) for query in self.log.sent)


@asynccontextmanager
async def open_queried_runtime(settings: CommonSettings, service: str) -> AsyncIterator[QueriedRuntime]:
    """A runtime over the service's database of these settings."""
    log = QueryLog()
    client: AsyncMongoClient[Document] = AsyncMongoClient(settings.mongodb_uri, tz_aware=True, event_listeners=[log])
    async with client:
        database = client[f"{settings.database_prefix}{service.replace('-', '_')}"]
        publisher = Notebook()
        outbox = Outbox(service, database, publisher)
        rejected = RejectedCommands(database)
        await outbox.setup()
        await rejected.setup()
        runtime = ServiceRuntime(service, settings, database, publisher, outbox, rejected, LoopSupervisor())  # type: ignore[arg-type]
        yield QueriedRuntime(runtime, log)
