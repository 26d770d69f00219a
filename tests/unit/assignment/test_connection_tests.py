"""What is kept of connection tests, and what is said of connectors beside how they are configured."""

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from assignment.apps import wizard
from assignment.apps.domain.pools import Pool
from assignment.apps.usecases import reads
from assignment.connection_tests import domain, usecases
from assignment.connection_tests.domain import MOST_KEPT, KnownTests, note_storage
from assignment.connection_tests.handlers import register_handlers
from assignment.connection_tests.store import ConnectionTestStore
from assignment.overviews.usecases import get_overview, list_overviews
from assignment.settings import POOL_SILENCE
from chassis.messaging.envelopes import envelope
from chassis.persistence.memory_aggregates import MemoryAggregates
from contracts.envelope import Envelope
from contracts.messages.assignment import AppAssigned, AppReconfigured, AppResourceChanged
from contracts.messages.connector.base import EVERYBODY
from contracts.messages.connector.connection_tests import Check, ConnectionTested, TestConnection, TestReport
from contracts.messages.connector.offers import PoolOffered, Reach
from contracts.messages.connector.stores import StoreInitialized, StoreWarning
from contracts.messages.installations import IntegrationUsed
from contracts.messages.outcomes import CommandOutcome
from contracts.queries.connection_tests import ConnectorOverview, KeptTest
from contracts.queries.wizard import DraftQuestion
from contracts.values import AppId, CommandId, ResourceId, SnapshotId

from tests.support import builders as make
from tests.unit.assignment.test_usecases import Assignment

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
APP = AppId("app-1")


def kept(number: int = 1, *, revision: int = 1, seconds: float = 0, **report: Any) -> KeptTest:
    facts: dict[str, Any] = {"ok": True, "checks": ()}
    return KeptTest(
        command_id=CommandId(f"test-{number}"),
        at=NOW + timedelta(seconds=seconds),
        trigger="manual",
        revision=revision,
        report=TestReport(**facts | report),
    )


def after(*tests: KeptTest, known: KnownTests | None = None) -> KnownTests:
    for test in tests:
        known = domain.note_test(known, APP, test)
    assert known is not None
    return known


class TestWhatIsKept:
    def test_the_newest_come_first_and_the_oldest_go(self) -> None:
        known = after(*(kept(number, seconds=number) for number in range(MOST_KEPT + 5)))
        assert [test.command_id for test in known.tests][:2] == ["test-54", "test-53"]
        assert len(known.tests) == MOST_KEPT

    def test_a_test_that_is_told_twice_is_kept_once(self) -> None:
        assert after(kept(), kept()) == after(kept())

    def test_the_newest_revision_counts_whichever_test_ends_last(self) -> None:
        known = after(kept(1, revision=2), kept(2, revision=1, seconds=5))
        assert known.last is not None
        assert (known.last.command_id, known.tests[0].command_id) == ("test-1", "test-2")
        assert KnownTests(id=APP).last is None

    def test_what_a_worker_of_the_version_before_tested_was_the_newest_then(self) -> None:
        known = after(kept(1, revision=2), kept(2, revision=0, seconds=5))
        assert known.last is not None
        assert known.last.command_id == "test-2"

    def test_of_earlier_warnings_the_restore_points_are_counted_not_named(self) -> None:
        warning = StoreWarning(code="c", detail="d", snapshot_ids=(SnapshotId("a"),), total=1)
        known = after(kept(1, warnings=(warning,)), kept(2, seconds=1, warnings=(warning,)))
        assert [test.report.warnings[0].snapshot_ids for test in known.tests] == [("a",), ()]
        assert known.tests[1].report.warnings[0].total == 1


class TestStorage:
    def test_is_known_from_tests_and_from_its_making(self) -> None:
        assert after(kept(initialized=None)).initialized_in(1) is None
        assert after(kept(initialized=False)).initialized_in(1) is False
        made = note_storage(after(kept(initialized=False)), APP, revision=1, at=NOW + timedelta(seconds=1))
        assert made.initialized_in(1) is True
        assert after(kept(2, seconds=9, initialized=False), known=made).initialized_in(1) is False

    def test_of_an_older_revision_says_nothing_of_a_newer_one(self) -> None:
        known = after(kept(initialized=True, revision=1))
        assert known.initialized_in(2) is None
        assert after(kept(2, revision=2, initialized=False), known=known).initialized_in(2) is False

    def test_of_a_revision_with_other_keys_alone_holds_for_the_newer_one(self) -> None:
        known = after(kept(initialized=True, revision=2))
        assert known.initialized_in(4, same_since=2) is True
        assert known.initialized_in(4, same_since=3) is None

    def test_is_not_denied_by_a_test_that_looked_before(self) -> None:
        made = note_storage(None, APP, revision=1, at=NOW)
        slow = Check(name="initialized", ok=True, duration_ms=5000)
        assert after(kept(seconds=4, initialized=False, checks=(slow,)), known=made).initialized_in(1) is True

    def test_is_not_denied_by_a_test_of_an_older_revision(self) -> None:
        known = after(kept(1, revision=2, initialized=True), kept(2, revision=1, seconds=5, initialized=False))
        assert known.initialized_in(2) is True


class Service(Assignment):
    """The areas of the assignment service together, in memory."""

    def __init__(self) -> None:
        super().__init__(tests_changes=True)
        self.tests = ConnectionTestStore(MemoryAggregates(KnownTests, published=self.published))
        register_handlers(self.dispatcher, self.tests, self.has_app)

    async def has_app(self, org: Any, app_id: AppId) -> bool:
        return await self.store.apps.get(org, app_id) is not None

    async def overview(self, app_id: str = APP) -> ConnectorOverview:
        return await get_overview(self.store, self.tests, make.ORG, AppId(app_id))

    async def history(self, app_id: str = APP) -> Sequence[KeptTest]:
        return await usecases.list_tests(self.tests, make.ORG, AppId(app_id))


@pytest.fixture
async def service() -> Service:
    """One that knows `fs` and the pool of its workers."""
    made = Service()
    await made.hear(make.integration_offered(make.fs_integration()))
    await made.store.pools.save(
        await made.store.pools.load(EVERYBODY, "default"), Pool(name="default", reach=(), announced_at=made.now)
    )
    return made


def event_of_test(app_id: str = APP, *, number: int = 1, revision: int = 1, **report: Any) -> Envelope[Any]:
    facts: dict[str, Any] = {"ok": True, "checks": ()}
    return envelope(
        ConnectionTested(
            organization_id=make.ORG,
            app_id=AppId(app_id),
            command_id=CommandId(f"test-{number}"),
            report=TestReport(**facts | report),
            revision=revision,
            trigger="change",
        ),
        service="connector",
    )


async def offer(service: Service, pool: str, *within: str) -> None:
    reach = (Reach(protocol="fs", field="root", within=within),)
    await service.hear(PoolOffered(organization_id=EVERYBODY, pool=pool, reach=reach))


async def test_each_change_is_followed_by_a_test_that_nobody_waits_for(service: Service) -> None:
    await service.do(make.assign_app(APP))
    await service.do(make.reconfigure_app(APP, name="renamed"))

    assert service.said() == [
        *(AppAssigned, TestConnection, IntegrationUsed, CommandOutcome),
        *(AppReconfigured, TestConnection, CommandOutcome),
    ]
    asked = service.events(TestConnection)
    assert [(test.app.revision, test.trigger, test.pool) for test in asked] == [
        (1, "change", "default"),
        (2, "change", "default"),
    ]


async def test_an_app_that_moves_with_its_resource_is_tested_there(service: Service) -> None:
    await service.do(make.assign_app(APP))
    moved = make.a_resource(revision=2, endpoints=[{"endpoint": "new", "kind": "host"}])
    await service.hear(make.resource_changed(moved))
    for told in [each for each in service.published if type(each.data).__name__ == "AppResourceChanged"]:
        await service.hear(told)

    assert [test.app.revision for test in service.events(TestConnection)] == [1, 2]


async def test_an_incomplete_app_is_not_tested(service: Service) -> None:
    await service.do(make.assign_app(APP, fields={}))
    assert service.events(TestConnection) == []


async def test_the_pool_that_reaches_an_app_tests_it(service: Service) -> None:
    await offer(service, "default", "/elsewhere")
    await offer(service, "branch", "/srv")

    await service.do(make.assign_app(APP))

    assert [(test.pool, test.topic) for test in service.events(TestConnection)] == [
        ("branch", "cairn.connector.commands.branch")
    ]


async def test_a_store_out_of_reach_is_no_partner(service: Service) -> None:
    await offer(service, "default", "/elsewhere")
    await offer(service, "branch", "/srv")
    await service.do(make.assign_app(APP))
    await service.do(make.assign_app("far", kind="store", fields={"root": make.clear("/elsewhere")}))
    assert (await service.overview()).partners == ()
    await service.do(make.assign_app("near", kind="store"))
    assert (await service.overview()).partners == ("store",)


async def test_tests_are_kept_with_the_connector(service: Service) -> None:
    await service.do(make.assign_app(APP))
    event = event_of_test(ok=False)
    for _ in range(2):
        await service.hear(event)
    await service.hear(event_of_test(number=2))

    overview = await service.overview()
    assert overview.last_test is not None
    assert [test.command_id for test in await service.history()] == ["test-2", "test-1"]
    assert (overview.last_test.revision, overview.last_test.trigger) == (1, "change")


async def test_of_a_connector_that_is_gone_nothing_is_kept(service: Service) -> None:
    await service.do(make.assign_app(APP))
    await service.hear(event_of_test())
    await service.do(make.remove_app(APP))
    removed = next(each for each in service.published if type(each.data).__name__ == "AppRemoved")

    await service.hear(removed)
    await service.hear(event_of_test(number=2))

    assert await service.history() == ()


async def test_whether_a_store_has_its_storage_is_told(service: Service) -> None:
    await service.do(make.assign_app("store", kind="store"))
    assert (await service.overview("store")).initialized is None
    await service.hear(event_of_test("store", initialized=False))
    assert (await service.overview("store")).initialized is False
    made = StoreInitialized(
        organization_id=make.ORG, app_id=AppId("store"), adopted=False, repository_id="r", revision=1
    )
    await service.hear(made)
    assert (await service.overview("store")).initialized is True


async def test_a_partner_is_another_complete_connector_in_reach(service: Service) -> None:
    await service.do(make.assign_app(APP))
    assert (await service.overview()).partners == ()
    await service.do(make.assign_app("incomplete", kind="store", fields={}))
    assert (await service.overview()).partners == ()
    await service.do(make.assign_app("store", kind="store"))
    assert (await service.overview()).partners == ("store",)
    # A store is not copied into itself.
    assert (await service.overview("store")).partners == ("source",)
    await service.do(make.assign_app("other", kind="store"))
    assert (await service.overview("store")).partners == ("source", "store")


async def test_a_partner_that_cannot_be_used_is_none(service: Service) -> None:
    await service.do(make.assign_app(APP))
    await service.do(make.assign_app("store", kind="store", resource=make.a_resource(id="res-2")))
    assert (await service.overview()).partners == ("store",)
    await service.hear(make.resource_changed(make.a_resource(id="res-2", revision=2, locked=True)))
    for told in [each for each in service.published if isinstance(each.data, AppResourceChanged)]:
        await service.hear(told)
    assert (await service.overview()).partners == ()
    # The other way round the lock is the store's own.
    assert (await service.overview("store")).partners == ("source",)


async def test_whether_workers_offer_its_integration_is_told_in_every_read(service: Service) -> None:
    await service.do(make.assign_app(APP))
    await service.do(make.assign_app("store", kind="store"))
    asked = make.assign_app(APP)
    question = DraftQuestion(app_id=AppId(APP), replaces=True, description=asked.description, resource=asked.resource)

    async def told() -> list[bool]:
        overview, draft = await service.overview(), await wizard.draft(service.store, make.ORG, question)
        assert draft.app is not None
        one = await reads.get_reachable_app(service.store, make.ORG, AppId(APP))
        listed = await reads.list_reachable_apps(service.store, make.ORG, None)
        rows = await list_overviews(service.store, service.tests, make.ORG, resource_id=ResourceId("res-1"))
        return [each.is_offered for each in (one, *listed, overview.app, *(row.app for row in rows), draft.app)]

    assert await told() == [True] * 7
    service.now += POOL_SILENCE + timedelta(seconds=1)
    assert await told() == [False] * 7
    assert (await service.overview()).partners == ()
    await service.hear(make.integration_offered(make.fs_integration()))
    assert await told() == [True] * 7


async def test_what_is_gone_is_told(service: Service) -> None:
    await service.do(make.assign_app(APP))
    overview = await service.overview()
    assert (overview.app.is_offered, overview.resource_removed) == (True, False)
    await service.hear(make.resource_removed("res-1", revision=2))
    assert (await service.overview()).resource_removed


async def test_overviews_are_listed_by_resource_and_by_kind_in_an_inventory(service: Service) -> None:
    elsewhere = make.a_resource(id="res-2", inventory_id="inv-2")
    await service.do(make.assign_app(APP))
    await service.do(make.assign_app("near", kind="store"))
    await service.do(make.assign_app("far", kind="store", resource=elsewhere))

    async def listed(**asked: Any) -> list[str]:
        return [each.app.id for each in await list_overviews(service.store, service.tests, make.ORG, **asked)]

    assert await listed(resource_id=ResourceId("res-1")) == [APP, "near"]
    assert await listed(kind="store", inventory_id="inv-2") == ["far"]


class Counted:
    """Counts the questions to a collection."""

    def __init__(self, counted: Any) -> None:
        self._counted, self.finds = counted, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._counted, name)

    async def find(self, *args: Any, **facts: Any) -> Any:
        self.finds += 1
        return await self._counted.find(*args, **facts)


async def test_what_many_stores_have_in_common_is_looked_up_once(service: Service) -> None:
    for number in range(12):
        await service.do(make.assign_app(f"store-{number}", kind="store"))
    finds = []
    for resource in ("res-1", "res-2"):
        if resource == "res-2":
            other = make.a_resource(id=resource)
            await service.do(make.assign_app("alone", kind="store", resource=other))
        apps, offers, pools = (Counted(getattr(service.store, name)) for name in ("apps", "offers", "pools"))
        store = dataclasses.replace(
            service.store, apps=cast("Any", apps), offers=cast("Any", offers), pools=cast("Any", pools)
        )
        rows = await list_overviews(store, service.tests, make.ORG, resource_id=ResourceId(resource))
        # Every other store is one to sync with.
        assert all("store" in row.partners for row in rows)
        finds.append((apps.finds, offers.finds, pools.finds))
    many, one = finds
    assert many == one


async def test_a_partner_is_found_however_far_away(service: Service) -> None:
    await service.do(make.assign_app(APP))
    for number in range(45):
        await service.do(make.assign_app(f"incomplete-{number:02}", kind="store", fields={}))
    store = dataclasses.replace(service.store, page_size=10)
    assert "store" not in (await get_overview(store, service.tests, make.ORG, APP)).partners
    await service.do(make.assign_app("zz-complete", kind="store"))
    assert "store" in (await get_overview(store, service.tests, make.ORG, APP)).partners
