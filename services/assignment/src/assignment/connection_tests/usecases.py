"""One function per verb: load, decide, save."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.envelope import Envelope
from contracts.messages.assignment import AppRemoved
from contracts.messages.connector.connection_tests import ConnectionTested
from contracts.messages.connector.stores import StoreInitialized
from contracts.queries.connection_tests import KeptTest
from contracts.values import AppId, OrganizationId

from assignment.connection_tests import domain
from assignment.connection_tests.store import ConnectionTestStore

log = logging.getLogger(__name__)
IsThere = Callable[[OrganizationId, AppId], Awaitable[bool]]
"""Whether there is an app."""


async def note_test(store: ConnectionTestStore, is_there: IsThere, event: Envelope[ConnectionTested]) -> None:
    """Keep what a test found."""
    data, org = event.data, event.data.organization_id
    with span("assignment.note_test", attributes={semconv.ORGANIZATION: org, semconv.APP: data.app_id}):
        aggregate = await store.tests.load(org, data.app_id, cause=event)
        # After the load: where it was removed in between, the save meets another revision, and this is done again.
        if not await is_there(org, data.app_id):
            return
        test = KeptTest(
            command_id=data.command_id, at=event.time, trigger=data.trigger, revision=data.revision, report=data.report
        )
        await store.tests.save(aggregate, domain.note_test(aggregate.value, data.app_id, test), cause=event)
        log.info("connection test kept", extra={"app": data.app_id, "ok": data.report.ok, "trigger": data.trigger})


async def note_storage(store: ConnectionTestStore, is_there: IsThere, event: Envelope[StoreInitialized]) -> None:
    """Remember that a store has its storage."""
    data, org = event.data, event.data.organization_id
    with span("assignment.note_storage", attributes={semconv.ORGANIZATION: org, semconv.APP: data.app_id}):
        aggregate = await store.tests.load(org, data.app_id, cause=event)
        if await is_there(org, data.app_id):
            known = domain.note_storage(aggregate.value, data.app_id, revision=data.revision, at=event.time)
            await store.tests.save(aggregate, known, cause=event)


async def forget_tests(store: ConnectionTestStore, event: Envelope[AppRemoved]) -> None:
    """Remove the tests of an app that is gone."""
    data, org = event.data, event.data.organization_id
    with span("assignment.forget_tests", attributes={semconv.ORGANIZATION: org, semconv.APP: data.app_id}):
        aggregate = await store.tests.load(org, data.app_id)
        if aggregate.revision:
            await store.tests.drop(aggregate)


async def list_tests(store: ConnectionTestStore, org: OrganizationId, app_id: AppId) -> Sequence[KeptTest]:
    """The tests of an app, newest first; none of one that is not there."""
    with span("assignment.list_tests", attributes={semconv.ORGANIZATION: org, semconv.APP: app_id}):
        known = await store.tests.get(org, app_id)
        return known.tests if known else ()
