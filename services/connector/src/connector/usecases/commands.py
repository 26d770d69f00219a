"""Commands about one app: test its connection, initialize its store."""

import logging

from chassis.errors import CairnError, NotFound
from contracts.assignment import App
from contracts.connector import Check, ConnectionTested, ConnectorCommand, StoreInitialized, TestReport
from contracts.values import CommandId

from connector.domain import Kind
from connector.usecases.apps import await_app
from connector.usecases.equipment import Equipment
from connector.usecases.lease import Lease
from connector.usecases.queueing import work_of
from connector.usecases.turns import alone_at

log = logging.getLogger(__name__)


async def test_connection(equipment: Equipment, lease: Lease, command: ConnectorCommand) -> None:
    """Connect for real and tell each step; a test that fails is a result like any other.

    Raises `app_not_found` or `app_unknown`.
    """
    app = await _app(equipment, command)
    report = await _report(equipment, command, app)
    log.info("connection tested", extra={"app": app.id, "ok": report.ok})
    tested = ConnectionTested(
        organization_id=command.organization_id,
        app_id=app.id,
        command_id=CommandId(lease.work.id),
        report=report,
    )
    await lease.settle([tested], result=report.model_dump(mode="json"))


async def _report(equipment: Equipment, command: ConnectorCommand, app: App) -> TestReport:
    try:
        configuration = equipment.configuration(command.organization_id, app)
        integration = equipment.integrations.of(app.protocol)
    except CairnError as error:
        return TestReport(ok=False, checks=(Check(name="reachable", ok=False, duration_ms=0, detail=error.detail),))
    return await integration.test(configuration)


async def initialize_store(equipment: Equipment, lease: Lease, command: ConnectorCommand) -> None:
    """Make sure that a store has a repository. One that was there is adopted: its restore points are taken in next.

    Raises what the engine raises, `root_forbidden`, `app_kind_wrong`, `app_not_found` or `app_unknown`.
    """
    app = await _app(equipment, command)
    if app.kind != "store":
        raise NotFound("app_not_found", f"{app.name!r} is no store.")
    configuration = equipment.configuration(command.organization_id, app)
    location = equipment.integrations.of(app.protocol).store_location(configuration)
    async with alone_at(equipment, lease, location):
        done = await equipment.engine.initialize(location)
    log.info("store initialized", extra={"app": app.id, "adopted": done.adopted})
    if done.adopted:
        await _queue_adoption(equipment, lease)
    initialized = StoreInitialized(
        organization_id=command.organization_id,
        app_id=app.id,
        adopted=done.adopted,
        repository_id=done.repository_id,
    )
    await lease.settle([initialized], result={"adopted": done.adopted, "repository_id": done.repository_id})


async def _queue_adoption(equipment: Equipment, lease: Lease) -> None:
    """Taking in restore points takes its time, so it is work of its own; asked for twice, it is done once."""
    cause = lease.work
    adoption = work_of(cause.cause, kind=Kind.ADOPT, work_id=f"{cause.id}:adopt", pool=cause.pool)
    await equipment.store.work.add(adoption)
    equipment.bells.ring(adoption.kind.lane)


async def _app(equipment: Equipment, command: ConnectorCommand) -> App:
    patience = equipment.settings.app_patience_seconds
    return await await_app(equipment.store, command.organization_id, command.app, patience_seconds=patience)
