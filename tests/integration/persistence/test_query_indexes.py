"""Each query of each store has an index, and no index is without a query: on a new database and after an upgrade."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, ExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from assignment.apps.store import Offer
from assignment.apps.store import open_store as open_assignment
from assignment.bundles.store import open_bundles
from assignment.connection_tests.store import open_connection_tests
from assignment.installations.store import absent, open_installations
from assignment.labels.domain import KnownRenames
from assignment.labels.store import open_labels
from catalog.classification.store import open_classification
from catalog.imports.domain.imports import Import
from catalog.imports.leftovers import KEPT_DAYS, Leftovers
from catalog.imports.store import open_imports
from catalog.inventories.store import open_inventories
from chassis.ids import new_id, utc_now
from connector.domain.work import TASK, SlotGroup
from connector.queue.intake import work_of
from connector.store.mongo import open_store as open_connector
from contracts.messages.connector.base import EVERYBODY
from contracts.resource_rules import LONGEST_URN
from contracts.values import AppId, ImportId, InventoryId, JobId, OrganizationId, ResourceId, RunId, SnapshotId
from gateway.access.store import open_accounts
from gateway.areas.auth.known_addresses import KnownAddresses
from gateway.areas.operations.store import OperationStore
from gateway.audit_log.store import AuditStore
from gateway.idempotency.store import KeyStore
from restore_index.settings import Settings as RestoreIndexSettings
from restore_index.store import open_store as open_restore_index
from restore_index.usecases import find_restore_points
from scheduler.jobs.domain.history import JobFilter
from scheduler.jobs.domain.measures import Measures
from scheduler.jobs.store import open_store as open_scheduler

from tests.integration.gateway.test_audit_log import entry_at
from tests.support import builders as make
from tests.support.builders import ORG
from tests.support.environment import Corner
from tests.support.processes import Running, running_module
from tests.support.query_indexes import QueriedRuntime, Query, open_queried_runtime
from tests.unit.connector.parts import task_request
from tests.unit.scheduler.builder import queued, run_task

Opened = Callable[[str], AbstractAsyncContextManager[QueriedRuntime]]

SINGLE_FIELDS = {
    "catalog": {"inventories": ("org",), "resources": ("org", "inventory_id", "urn")},
    "assignment": {"apps": ("org", "kind", "resource_id"), "integrations": ("org",), "resources": ("org",)},
    "scheduler": {"jobs": ("org", "run_id"), "job_roll": ("org", "status"), "job_log_parts": ("job_id",)},
    "connector": {"apps": ("org", "kind"), "attempts": ("org", "work"), "work": ("queue", "closed")},
    "restore-index": {
        "restore_points": ("org", "store_id", "snapshot_id", "source_id", "gone_from", "awaited_from"),
        "sweeps": ("org", "pending"),
    },
    "gateway": {
        "accounts": ("org", "email"),
        "organizations": ("org", "parent_id"),
        **dict.fromkeys(("memberships", "grants", "api_keys", "data_keys"), ("org",)),
        "audit": ("hour", "day"),
        "audit_marks": ("list", "day"),
    },
}
"""Indexes that versions before decision 0039 made."""


@pytest.fixture(params=["new", "upgraded"])
def opened(request: pytest.FixtureRequest, fresh_corner: Corner) -> Opened:
    """Opens a service over a database of its own, which an earlier version may have used."""

    @asynccontextmanager
    async def opening(service: str) -> AsyncIterator[QueriedRuntime]:
        async with open_queried_runtime(fresh_corner.settings(), service) as queried:
            if request.param == "upgraded":
                await make_single_fields(queried, service)
            yield queried
            assert await queried.unserved() == set()
            assert await queried.unused() == set()

    return opening


async def make_single_fields(queried: QueriedRuntime, service: str) -> None:
    for name, fields in SINGLE_FIELDS[service].items():
        for field in fields:
            await queried.runtime.database[name].create_index(field)


async def everything_the_chassis_asks(queried: QueriedRuntime) -> None:
    await queried.runtime.outbox.sweep(utc_now())


async def test_catalog(opened: Opened) -> None:
    async with opened("catalog") as queried:
        store = await open_inventories(queried.runtime)
        await everything_the_chassis_asks(queried)
        inventory, resource = make.an_inventory(), make.a_resource()
        await store.inventories.save(await store.inventories.load(ORG, inventory.id), inventory)
        await store.resources.save(await store.resources.load(ORG, resource.id), resource)
        assert await store.urn_owner(ORG, InventoryId("inv-1"), "urn:files:1") == "res-1"
        assert await store.resources_of(ORG, InventoryId("inv-1"), limit=9) == [resource]
        assert [each async for each in store.resources.scan_all()] == [[(ORG, resource)]]
        assert (await store.inventories.find(ORG, limit=9)).total == 1
        assert len([k async for k in store.resources.scan(ORG, {"inventory_id": "inv-1"})]) == 1
        assert (await (await open_classification(queried.runtime)).get(ORG)).environments
        imports = await open_imports(queried.runtime)
        assert await imports.unfinished(ORG, InventoryId("inv-1")) == []
        begun = Import(id=ImportId(new_id()), inventory_id=InventoryId("inv-1"))
        aggregate = await imports.imports.load(ORG, begun.id)
        await imports.imports.save(aggregate, begun.model_copy(update={"state": "applying"}))
        await imports.keep_portion(ORG, begun, 0, "[]")
        forgotten = utc_now() + timedelta(days=KEPT_DAYS)
        await Leftovers(queried.runtime.database, imports).forget(forgotten)
        assert await imports.changes(ORG, begun, 0) == [], "what is being applied stays"
        current = await imports.imports.load(ORG, begun.id)
        await imports.imports.save(current, begun.model_copy(update={"state": "applied"}))
        await Leftovers(queried.runtime.database, imports).forget(forgotten)
        with pytest.raises(LookupError):
            await imports.changes(ORG, begun, 0)


async def test_assignment(opened: Opened) -> None:
    async with opened("assignment") as queried:
        store = await open_assignment(queried.runtime)
        await everything_the_chassis_asks(queried)
        offer = Offer.of(make.fs_integration())
        await store.offers.save(await store.offers.load(EVERYBODY, offer.id), offer)
        assert len(await store.integrations()) == 1
        for kind in ("source", None):
            assert await store.apps_of(ORG, kind) == []
        assert await store.apps_at(ORG, ResourceId("res-1")) == []
        assert await store.resource(ORG, ResourceId("res-1")) is None
        assert await store.all_pools() == []
        bundles, labels = await open_bundles(queried.runtime), await open_labels(queried.runtime)
        assert list(await bundles.bundles_of(ORG)) == []
        assert await labels.known(ORG) == KnownRenames()
        installations = await open_installations(queried.runtime)
        assert await absent(installations, ORG) == {}
        assert await (await open_connection_tests(queried.runtime)).tests.get(ORG, AppId("app")) is None
        for kept in (bundles.bundles, installations):
            assert (await kept.find(ORG, limit=9, offset=9)).total == 0


async def test_scheduler(opened: Opened) -> None:
    async with opened("scheduler") as queried:
        store = await open_scheduler(queried.runtime)
        await everything_the_chassis_asks(queried)
        job = queued()
        await store.save(await store.jobs.load(ORG, job.id), job)
        page = partial(store.listing.page, ORG, limit=9, offset=0)
        assert (await page(JobFilter(task_type="backup"))).items == [job]
        assert (await page(JobFilter(status="failed"))).total == 0
        assert await store.listing.newest(ORG, [JobFilter(app_id=job.task.origin.id), JobFilter(app_id="x")]) == [
            job,
            None,
        ]
        assert await store.job_index.finished() == []
        assert await store.history.ended_on(utc_now().date()) == []
        assert await store.find_run(ORG, RunId(job.run_id)) == job
        assert await store.job_index.unfinished() == [(ORG, job.id)]
        assert await store.log_parts.of(ORG, JobId(job.id)) == []
        assert await store.log_parts.are_placed(ORG, JobId(job.id))
        assert await store.log_parts.last(ORG, JobId(job.id)) is None
        assert await store.log_parts.after(ORG, JobId(job.id), 1) == []
        await store.measures.keep(ORG, JobId(job.id), Measures())
        assert await store.measures.of(ORG, JobId(job.id)) == Measures()
        assert await store.measures.first_between("", "~") == (ORG, job.id)
        assert await store.log_parts.first_between("", "~") is None
        assert await store.job_index.first_between("", "~") is None
        for place in (store.measures, store.log_parts, store.job_index):
            await place.remove(ORG, JobId(job.id))


async def test_connector(opened: Opened) -> None:
    async with opened("connector") as queried:
        store = await open_connector(queried.runtime.database, queried.runtime.outbox)
        await everything_the_chassis_asks(queried)
        work = work_of(task_request("job"), kind=TASK, work_id="job", pool="default")
        await store.work.add(work, group=SlotGroup.TASKS)
        assert await store.work.waiting(pool="default", group=SlotGroup.TASKS) == [work]
        await store.work.close(work.organization_id, "job")
        assert len(await store.work.closed_on(utc_now().date())) == 1
        assert await store.attempts_at(work.organization_id, "job") == []
        await store.work.forget(work.organization_id, "job")
        assert await store.stores.all() == []
        assert (await store.apps.find(ORG)).items == []
        assert await store.line_at("place") == []


async def test_restore_index(opened: Opened, fresh_corner: Corner) -> None:
    async with opened("restore-index") as queried:
        store = await open_restore_index(queried.runtime, fresh_corner.settings(RestoreIndexSettings))
        await everything_the_chassis_asks(queried)
        store_id = AppId("store")
        asked: list[Awaitable[object]] = [
            store.points_of(ORG, store_id),
            store.points_of(ORG, None),
            store.tombstones_of(ORG, store_id),
            store.points_awaiting_listing(ORG, store_id),
            store.points_named(ORG, SnapshotId("s")),
            store.points_from(ORG, AppId("source")),
            find_restore_points.list_latest(store, ORG, [AppId("source")], limit=5),
            store.candidates.pending(),
            store.protections_of(ORG),
        ]
        assert [await query for query in asked] == [[]] * len(asked)


async def test_gateway(opened: Opened) -> None:
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    async with opened("gateway") as queried:
        database = queried.runtime.database
        await everything_the_chassis_asks(queried)
        accounts = await open_accounts(queried.runtime)
        asked: list[Awaitable[object]] = [
            accounts.account_by_email("a@b"),
            accounts.children(""),
            accounts.roles(ORG, "a"),
            accounts.memberships.find(ORG, limit=9),
            accounts.grants.find(ORG, limit=9),
        ]
        for query in asked:
            await query
        log, operations = AuditStore(database), OperationStore(database)
        forgetful = (operations, KeyStore(database), KnownAddresses(database))
        for store in (log, *forgetful):
            await store.setup()
        first, second = entry_at(ORG, now - timedelta(minutes=1)), entry_at(ORG, now)
        for entry in (first, second):
            await log.begin(entry)
        page = partial(log.page, ORG, oldest=now - timedelta(days=40), now=now, limit=9)
        for action in ("file.download", None):
            for before, found in ((None, [second, first]), (second.id, [first])):
                assert await page(action=action, before=before) == found
        await log.forget(now + timedelta(days=1))
        assert await page(action=None, before=None) == []
        assert await operations.unsent() == []
        started = make.wrap(run_task(org=ORG))
        await operations.begin(started, taken=True)
        assert await operations.of_run(ORG, started.data.run_id) == started
        assert await operations.of_run(ORG, started.data.job_id) is None
        for each in forgetful:
            await each.forget(now)


async def test_two_processes_that_start_at_once_upgrade_a_database_in_use(fresh_corner: Corner, tmp_path: Path) -> None:
    async with open_queried_runtime(fresh_corner.settings(), "catalog") as queried:
        await make_single_fields(queried, "catalog")
        resources = queried.runtime.database["resources"]
        kept = make.a_resource()
        before = {"_id": kept.id, "org": ORG, "inventory_id": "inv-1", "urn": kept.urn, "removed": False}
        value = kept.model_dump(mode="python", by_alias=True)
        await resources.insert_one({**before, "revision": 1, "value": value, "outbox": [], "seen": []})
        with ExitStack() as stack:
            both = [stack.enter_context(migrating(fresh_corner, tmp_path / f"{number}.log")) for number in range(2)]
            assert [await each.ended(60) for each in both] == [0, 0], [each.output() for each in both]
        assert set(await resources.index_information()) == {
            "_id_", "org_1_inventory_id_1_urn_1__id_1", "org_1_inventory_id_1__id_1"
        }  # fmt: skip
        store = await open_inventories(queried.runtime)
        assert await store.urn_owner(ORG, InventoryId("inv-1"), kept.urn) == kept.id
        assert len(await store.resources_of(ORG, InventoryId("inv-1"), limit=9)) == 1


async def test_the_longest_urn_fits_into_an_entry_of_its_index(fresh_corner: Corner) -> None:
    async with open_queried_runtime(fresh_corner.settings(), "catalog") as queried:
        store = await open_inventories(queried.runtime)
        chance = random.Random(7)  # As compressed, equal characters would prove nothing.
        urn = "".join(chr(chance.randrange(0x20000, 0x2A6D0)) for _ in range(LONGEST_URN))
        kept = make.a_resource(id=new_id(), inventory_id=new_id(), urn=urn)
        org = OrganizationId(new_id())
        await store.resources.save(await store.resources.load(org, kept.id), kept)
        assert await store.urn_owner(org, kept.inventory_id, urn) == kept.id


def migrating(corner: Corner, log: Path) -> AbstractContextManager[Running]:
    return running_module("catalog", "migrate", environment=corner.variables(), log=log)


@pytest.mark.parametrize(
    ("query", "index", "served"),
    [
        (Query("c", frozenset({"org"})), ("org", "kind", "_id"), True),
        (Query("c", frozenset({"org", "kind"})), ("org", "_id", "kind"), False),
        (Query("c", frozenset({"kind", "org"}), sort=(("_id", -1),)), ("org", "kind", "_id"), True),
        (Query("c", frozenset({"org"}), sort=(("_id", 1),)), ("org", "kind", "_id"), False),
        (Query("c", frozenset({"hour"}), frozenset({"_id"}), (("_id", -1),)), ("hour", "_id"), True),
        (Query("c", frozenset(), frozenset({"day"})), ("day",), True),
        (Query("c", frozenset(), frozenset({"day"})), ("org", "day"), False),
    ],
)
def test_an_index_serves_a_query_by_equality_sort_and_range(query: Query, index: tuple[str, ...], served: bool) -> None:
    assert query.is_served_by(index) is served
