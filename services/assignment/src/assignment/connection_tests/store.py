"""The connection tests of apps, as they are kept."""

from dataclasses import dataclass

from chassis.persistence.aggregates import Aggregates
from chassis.persistence.mongo_aggregates import MongoAggregates
from chassis.runtime.service_runtime import ServiceRuntime

from assignment.connection_tests.domain import KnownTests


@dataclass(frozen=True)
class ConnectionTestStore:
    """A document for each app; workers' events about one app are handled in order."""

    tests: Aggregates[KnownTests]


async def open_connection_tests(runtime: ServiceRuntime) -> ConnectionTestStore:
    """The store in MongoDB. Documents are found by their id alone."""
    tests = MongoAggregates(runtime.database["connection_tests"], KnownTests, runtime.outbox)
    await tests.setup()
    return ConnectionTestStore(tests)
