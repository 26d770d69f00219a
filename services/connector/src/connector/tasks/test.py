"""Tests the connection of a source, a store or a destination."""

import asyncio
import logging
from dataclasses import replace
from time import perf_counter

from contracts.errors import CairnError, Conflict
from contracts.messages.assignment import App
from contracts.messages.connector.base import ConnectorCommand
from contracts.messages.connector.connection_tests import Check, ConnectionTested, TestConnection, TestReport
from contracts.messages.connector.stores import StoreWarning
from contracts.values import CommandId
from integrations.sdk.connection_test import TEST_SECONDS

from connector.context.worker_context import WorkerContext
from connector.domain.work import Kind, SlotGroup
from connector.failures import FAILURES
from connector.jobs.announced_checks import AnnouncedChecks, announcing
from connector.jobs.definition import CommandDefinition
from connector.queue.lease import Lease
from connector.store_state.identity import require_same_store
from connector.store_state.warnings import store_warnings

log = logging.getLogger(__name__)


async def test_connection(context: WorkerContext, lease: Lease, command: TestConnection) -> None:
    """Connect for real and report each step; a test that fails is a result like any other. The report on a store names
    the restore points that are known as damaged; that changes nothing about `ok`.

    Each step is announced as soon as it is done. Raises `app_not_found`, `app_unknown`, and `test_superseded` where a
    test that follows a change has been overtaken by another change.
    """
    app = await context.app_of(command)
    if command.trigger == "change" and app.changed_in > command.app.revision:
        # Each change has a test of its own, but for other keys: of many quick ones only the last is tested.
        raise Conflict("test_superseded", f"{app.name!r} was changed meanwhile, and is tested as it is now.")
    async with announcing(context.publisher, lease, command) as announced:
        report, warnings = await asyncio.gather(
            _report(context, command, app, announced), _warnings(context, command, app)
        )
        announced.rest(report)
    report = report.model_copy(update={"warnings": warnings})
    log.info("connection tested", extra={"app": app.id, "ok": report.ok})
    tested = ConnectionTested(
        organization_id=command.organization_id,
        app_id=app.id,
        command_id=CommandId(lease.work.id),
        report=report,
        revision=app.revision,
        trigger=command.trigger,
    )
    await lease.settle([tested], result=report.model_dump(mode="json"))


async def _warnings(context: WorkerContext, command: ConnectorCommand, app: App) -> tuple[StoreWarning, ...]:
    if app.kind != "store":
        return ()
    return await store_warnings(context.index, command.organization_id, app.id)


async def _report(
    context: WorkerContext, command: ConnectorCommand, app: App, announced: AnnouncedChecks
) -> TestReport:
    try:
        noted = await context.store.repositories.of(command.organization_id, app.id)
        configuration = replace(context.configuration(command.organization_id, app), repository_id=noted)
        integration = context.integrations.connection_test(app.protocol)
    except CairnError as error:
        return TestReport(ok=False, checks=(Check(name="reachable", ok=False, duration_ms=0, detail=error.detail),))
    report = await integration.test(configuration, on_check=announced.add)
    if not report.ok or noted is None or app.kind != "store":
        return report
    return await _with_write_check(context, command, app, report)


async def _with_write_check(
    context: WorkerContext, command: ConnectorCommand, app: App, report: TestReport
) -> TestReport:
    """The report, with `repository` failed where a backup into the store would be refused now."""
    # The integration cannot tell: whether restore points are known of a store without snapshots, only the index knows.
    *before, last = report.checks
    began = perf_counter()
    try:
        # What is left of the time that the whole test may take, since a person waits for it.
        async with asyncio.timeout(TEST_SECONDS - sum(check.duration_ms for check in report.checks) / 1000):
            await require_same_store(context, command.organization_id, app)
    except FAILURES as error:
        detail = f"{error.code}: {error.detail}"
    except TimeoutError:
        detail = f"no answer within {TEST_SECONDS:.0f} seconds"
    else:
        return report
    spent = last.duration_ms + round((perf_counter() - began) * 1000, 3)
    failed = last.model_copy(update={"ok": False, "duration_ms": spent, "detail": detail})
    return report.model_copy(update={"ok": False, "checks": (*before, failed)})


def _slots_for(command: TestConnection) -> SlotGroup:
    return SlotGroup.CHANGE_TESTS if command.trigger == "change" else SlotGroup.COMMANDS


COMMAND = CommandDefinition(kind=Kind("test"), message=TestConnection, run=test_connection, slots_for=_slots_for)
