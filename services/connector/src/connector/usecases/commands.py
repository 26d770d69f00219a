"""Commands about one app: test its connection, initialize its store."""

import asyncio
import logging
from dataclasses import replace
from time import perf_counter

from chassis.errors import CairnError, NotFound
from contracts.assignment import App
from contracts.connector import (
    Check,
    ConnectionTested,
    ConnectorCommand,
    InitializeStore,
    StoreInitialized,
    StoreWarning,
    TestReport,
)
from contracts.values import CommandId, OrganizationId

from connector.domain import Kind
from connector.engine.errors import CompressionUnsupported, RepositoryGone, StoreNotInitialized
from connector.engine.places import StoreLocation
from connector.engine.port import Initialized
from connector.integrations.checklist import TEST_SECONDS
from connector.repository import Access
from connector.usecases.apps import await_app
from connector.usecases.equipment import Equipment
from connector.usecases.identity import (
    ask_repository,
    half_made,
    open_new_repository,
    require_no_loss,
    require_noted,
    require_same_store,
    whole,
)
from connector.usecases.lease import Lease
from connector.usecases.queueing import work_of
from connector.usecases.store_warnings import store_warnings
from connector.usecases.turns import alone_at

log = logging.getLogger(__name__)


async def test_connection(equipment: Equipment, lease: Lease, command: ConnectorCommand) -> None:
    """Connect for real and tell each step; a test that fails is a result like any other. Of a store it tells too which
    restore points are known as damaged; that changes nothing about `ok`.

    Raises `app_not_found` or `app_unknown`.
    """
    app = await _app(equipment, command)
    report, warnings = await asyncio.gather(_report(equipment, command, app), _warnings(equipment, command, app))
    report = report.model_copy(update={"warnings": warnings})
    log.info("connection tested", extra={"app": app.id, "ok": report.ok})
    tested = ConnectionTested(
        organization_id=command.organization_id,
        app_id=app.id,
        command_id=CommandId(lease.work.id),
        report=report,
    )
    await lease.settle([tested], result=report.model_dump(mode="json"))


async def _warnings(equipment: Equipment, command: ConnectorCommand, app: App) -> tuple[StoreWarning, ...]:
    if app.kind != "store":
        return ()
    return await store_warnings(equipment.index, command.organization_id, app.id)


async def _report(equipment: Equipment, command: ConnectorCommand, app: App) -> TestReport:
    try:
        noted = await equipment.store.repositories.of(command.organization_id, app.id)
        configuration = replace(equipment.configuration(command.organization_id, app), repository_id=noted)
        integration = equipment.integrations.of(app.protocol)
    except CairnError as error:
        return TestReport(ok=False, checks=(Check(name="reachable", ok=False, duration_ms=0, detail=error.detail),))
    report = await integration.test(configuration)
    if not report.ok or noted is None or app.kind != "store":
        return report
    return await _held_against_what_is_known(equipment, command, app, report)


async def _held_against_what_is_known(
    equipment: Equipment, command: ConnectorCommand, app: App, report: TestReport
) -> TestReport:
    """The report, with `repository` failed where a backup into the store would be refused now.

    Its integration does not know whether restore points are known of a store that is without snapshots.
    """
    *before, last = report.checks
    began = perf_counter()
    try:
        async with asyncio.timeout(TEST_SECONDS - sum(check.duration_ms for check in report.checks) / 1000):
            await require_same_store(equipment, command.organization_id, app)
    except CairnError as error:
        detail = f"{error.code}: {error.detail}"
    except TimeoutError:
        detail = f"no answer within {TEST_SECONDS:.0f} seconds"
    else:
        return report
    spent = last.duration_ms + round((perf_counter() - began) * 1000, 3)
    failed = last.model_copy(update={"ok": False, "duration_ms": spent, "detail": detail})
    return report.model_copy(update={"ok": False, "checks": (*before, failed)})


async def initialize_store(equipment: Equipment, lease: Lease, command: InitializeStore) -> None:
    """Make sure that a store has a repository. The index follows it next: one that was there may hold restore points,
    and one that is new lacks those of another one that was there before.

    Raises `repository_missing`, `repository_changed` or `snapshots_missing` where another one, or more, was there
    before and that is not forced, what the engine raises, `compression_unsupported`, `root_forbidden`,
    `app_kind_wrong`, `app_not_found` or `app_unknown`.
    """
    app, org, noted = await store_app(equipment, command), command.organization_id, equipment.store.repositories
    location = equipment.integrations.of(app.protocol).store_location(equipment.configuration(org, app))
    async with alone_at(equipment, lease, location):
        done, seal = await _adopt(equipment, command, app) or await _make(equipment, org, app, location)
    log.info("store initialized", extra={"app": app.id, "adopted": done.adopted})
    await noted.note(org, app.id, done.repository_id, seal=seal, compression=command.compression)
    await queue_following(equipment, lease)
    initialized = StoreInitialized(
        organization_id=org, app_id=app.id, adopted=done.adopted, repository_id=done.repository_id
    )
    compression = await noted.compression_of(org, app.id)
    await lease.settle(
        [initialized],
        result={"adopted": done.adopted, "repository_id": done.repository_id, "compression": compression},
    )


async def _adopt(equipment: Equipment, command: InitializeStore, app: App) -> tuple[Initialized, str] | None:
    """The repository that is at the place of a store with its seal, if one is.

    Raises `StoreHalfMade` where files of a repository are that has lost its `config`: a new one would bury them.
    """
    org = command.organization_id
    try:
        access, suspicious = await ask_repository(equipment, org, app, _look)
    except StoreNotInitialized:
        return None
    except RepositoryGone as error:
        if not command.force:
            raise
        if error.has_data:
            raise half_made(equipment, org, app) from None
        return None
    if not command.force:
        await require_noted(equipment, org, app, access)
        if suspicious:
            await require_no_loss(equipment, org, app)
    if command.compression and access.config.version == 1:
        raise CompressionUnsupported
    return Initialized(access.config.id, adopted=True), access.seal


async def _make(
    equipment: Equipment, org: OrganizationId, app: App, location: StoreLocation
) -> tuple[Initialized, str | None]:
    """A new repository at the place of a store, with its seal (see `open_new_repository`)."""
    made = await equipment.engine.initialize(location)
    return made, await open_new_repository(equipment, org, app, repository_id=made.repository_id)


def _look(access: Access) -> tuple[Access, bool]:
    return whole(access), access.may_have_lost_snapshots()


async def store_app(equipment: Equipment, command: ConnectorCommand) -> App:
    """The store that a command is about. Raises `app_not_found` or `app_unknown`."""
    app = await _app(equipment, command)
    if app.kind != "store":
        raise NotFound("app_not_found", f"{app.name!r} is no store.")
    return app


async def queue_following(equipment: Equipment, lease: Lease) -> None:
    """Having the index follow takes its time, so it is work of its own; asked for twice, it is done once."""
    cause = lease.work
    following = work_of(cause.cause, kind=Kind.FOLLOW, work_id=f"{cause.id}:follow", pool=cause.pool)
    await equipment.store.work.add(following)
    equipment.bells.ring(following.kind.lane)


async def _app(equipment: Equipment, command: ConnectorCommand) -> App:
    patience = equipment.settings.app_patience_seconds
    return await await_app(equipment.store, command.organization_id, command.app, patience_seconds=patience)
