"""Which resources sources use, as events told it: kept, so that a process that starts asks nobody."""

from dataclasses import dataclass

from chassis.persistence.aggregates import Aggregates
from chassis.persistence.mongo_aggregates import MongoAggregates
from chassis.runtime.service_runtime import ServiceRuntime

from catalog.resource_index.domain.sources import SourceUse


@dataclass(frozen=True)
class SourceStore:
    """Sources by their ids. Messages about one source are handled in order."""

    uses: Aggregates[SourceUse]


async def open_sources(runtime: ServiceRuntime) -> SourceStore:
    """The store in MongoDB."""
    uses = MongoAggregates(runtime.database["source_uses"], SourceUse, runtime.outbox)
    await uses.setup()
    return SourceStore(uses)
