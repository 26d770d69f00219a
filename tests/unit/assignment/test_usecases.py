"""Use cases of the assignment service over the memory store."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from assignment.apps.domain.apps import KnownResource
from assignment.apps.domain.pools import Pool
from assignment.apps.handlers import register_handlers
from assignment.apps.store import AssignmentStore, Offer, app_keys
from assignment.apps.usecases import offers, reads
from assignment.settings import POOL_SILENCE
from chassis.persistence.memory_aggregates import MemoryAggregates
from contracts.envelope import Envelope
from contracts.errors import Invalid, NotFound, TemporaryError
from contracts.messages.assignment import App, AppAssigned, AppReconfigured, AppRemoved, AppResourceChanged
from contracts.messages.base import Message
from contracts.messages.catalog import Resource
from contracts.messages.connector.base import EVERYBODY
from contracts.messages.connector.offers import PoolOffered, Reach
from contracts.messages.imports import RemovedResource
from contracts.messages.installations import IntegrationUsed
from contracts.messages.outcomes import CommandOutcome
from contracts.values import AppId, OrganizationId, ResourceId

from tests.support import builders as make
from tests.support.memory import MemoryDoor


class Assignment(MemoryDoor):
    """An assignment service in memory."""

    def __init__(self, *, tests_changes: bool = False) -> None:
        super().__init__("assignment")
        self.now = datetime(2026, 11, 23, 12, tzinfo=UTC)
        self.store = AssignmentStore(
            MemoryAggregates(App, keys=app_keys, published=self.published),
            MemoryAggregates(Offer, published=self.published),
            MemoryAggregates(KnownResource, published=self.published),
            MemoryAggregates(Pool, published=self.published),
            clock=lambda: self.now,
            tests_changes=tests_changes,
        )
        register_handlers(self.dispatcher, self.store)

    async def app(self, app_id: str) -> App:
        return await reads.get_app(self.store, make.ORG, AppId(app_id))


@pytest.fixture
async def assignment() -> Assignment:
    made = Assignment()
    await made.hear(make.integration_offered(make.fs_integration()))
    await made.hear(make.integration_offered(make.s3_integration()))
    return made


async def test_an_app_is_assigned_with_its_event(assignment: Assignment) -> None:
    outcome = await assignment.do(make.assign_app("app-1"))
    assert assignment.said() == [AppAssigned, IntegrationUsed, CommandOutcome]
    assert outcome.result == {"id": "app-1", "revision": 1}
    [assigned] = assignment.events(AppAssigned)
    assert assigned.app == await assignment.app("app-1")


async def test_a_repeated_command_changes_nothing_and_brings_the_same_outcome(assignment: Assignment) -> None:
    command = make.wrap(make.assign_app("app-1"))
    assert await assignment.do(command) == await assignment.do(command)
    assert assignment.said() == [AppAssigned, IntegrationUsed, CommandOutcome, CommandOutcome]


async def test_rejections_carry_code_and_fields(assignment: Assignment) -> None:
    problem = await assignment.rejection(make.assign_app(fields={"root": make.clear("relative")}))
    assert (problem.code, problem.kind) == ("configuration_invalid", "invalid")
    assert [f.field for f in problem.fields] == ["fields.root"]
    teapot = make.a_resource(**{"class": "teapot", "subclass": "brown"})
    assert (await assignment.rejection(make.assign_app(resource=teapot))).code == "integration_incompatible"
    assert (await assignment.rejection(make.reconfigure_app("nothing"))).kind == "not_found"
    assert (await assignment.rejection(make.remove_app("nothing"))).code == "app_not_found"


async def test_an_app_is_reconfigured_and_removed(assignment: Assignment) -> None:
    await assignment.do(make.assign_app("app-1"))
    outcome = await assignment.do(make.reconfigure_app("app-1", name="renamed"))
    assert outcome.result == {"id": "app-1", "revision": 2}
    [reconfigured] = assignment.events(AppReconfigured)
    assert reconfigured.app.name == "renamed"
    await assignment.do(make.remove_app("app-1"))
    [removed] = assignment.events(AppRemoved)
    assert removed.revision == 3
    with pytest.raises(NotFound):
        await assignment.app("app-1")


async def test_what_is_said_already_is_no_change(assignment: Assignment) -> None:
    said: dict[str, Any] = {
        "data_classes": ["z", "a"],
        "environment": "production",
        "fields": {"root": make.clear("/srv")},
    }
    await assignment.do(make.assign_app("app-1", **said))
    before = await assignment.app("app-1")
    outcome = await assignment.do(make.reconfigure_app("app-1", expected_revision=1, **said))
    assert outcome.result == {"id": "app-1", "revision": 1}
    assert await assignment.app("app-1") == before
    assert assignment.events(AppReconfigured) == []

    # Other words for its resource are shown anyway; a lock is a change, as the one that the catalog tells of.
    renamed = make.a_resource(name="renamed", revision=2)
    await assignment.do(make.reconfigure_app("app-1", resource=renamed, **said))
    assert (await assignment.app("app-1")).revision == 1

    await assignment.do(make.reconfigure_app("app-1", expected_revision=1, **said | {"data_classes": ["a", "z"]}))
    assert (await assignment.app("app-1")).revision == 2
    await assignment.do(make.reconfigure_app("app-1", resource=renamed.model_copy(update={"locked": True}), **said))
    assert (await assignment.app("app-1")).revision == 3


async def test_an_app_keeps_what_it_has_though_its_resource_got_another_class(assignment: Assignment) -> None:
    await assignment.hear(make.integration_offered(make.s3_integration()))
    has: dict[str, Any] = {
        "integration_id": "int-fs",
        "protocol": "fs",
        "fields": {"root": make.clear("/srv")},
        "resource": make.a_resource(revision=2, **{"class": "teapot", "subclass": "brown"}),
    }
    await assignment.do(make.assign_app("app-1", fields=has["fields"]))
    await assignment.do(make.reconfigure_app("app-1", **has))
    assert (await assignment.app("app-1")).revision == 1
    await assignment.do(make.reconfigure_app("app-1", **has, name="renamed"))
    app = await assignment.app("app-1")
    assert (app.name, app.revision, app.integration.id, app.protocol) == ("renamed", 2, "int-fs", "fs")

    elsewhere = has["resource"].model_copy(update={"id": "res-2"})
    for other in ({"integration_id": "int-s3"}, {"protocol": "s3"}, {"integration_id": None}, {"resource": elsewhere}):
        problem = await assignment.rejection(make.reconfigure_app("app-1", **has | other))
        assert problem.code == "integration_incompatible"


async def test_of_two_changes_of_one_revision_the_second_is_refused(assignment: Assignment) -> None:
    await assignment.do(make.assign_app("app-1"))
    first = make.wrap(make.reconfigure_app("app-1", name="first", expected_revision=1))
    await assignment.do(first)

    problem = await assignment.rejection(make.reconfigure_app("app-1", name="second", expected_revision=1))
    assert (problem.code, problem.kind) == ("revision_changed", "precondition_failed")
    assert (await assignment.rejection(make.remove_app("app-1", expected_revision=1))).code == "revision_changed"

    assert (await assignment.app("app-1")).name == "first"
    # Repeated, a command brings its first outcome, whatever the revision is by now.
    assert (await assignment.do(first)).result == {"id": "app-1", "revision": 2}
    await assignment.do(make.remove_app("app-1", expected_revision=2))


async def test_apps_are_listed_by_kind_and_organization(assignment: Assignment) -> None:
    await assignment.do(make.assign_app("source"))
    await assignment.do(make.assign_app("store", kind="store"))
    stores = await reads.list_apps(assignment.store, make.ORG, "store")
    assert [app.id for app in stores] == ["store"]
    assert len(await reads.list_apps(assignment.store, make.ORG, None)) == 2
    assert await reads.list_apps(assignment.store, OrganizationId("stranger"), None) == []


def at(host: str, revision: int) -> Resource:
    return make.a_resource(revision=revision, endpoints=[{"endpoint": host, "kind": "host"}])


async def follow(assignment: Assignment) -> None:
    """Deliver what the service has told itself."""
    for envelope in [e for e in assignment.published if isinstance(e.data, AppResourceChanged)]:
        await assignment.hear(envelope)


async def test_workers_hear_where_an_app_is_since_its_resource_changed(assignment: Assignment) -> None:
    await assignment.do(make.assign_app("app-1", resource=at("wrong", 1)))
    await assignment.do(make.assign_app("own", resource=at("wrong", 1), endpoints=["mine"]))
    change = make.wrap(make.resource_changed(at("right", 2)))

    for _ in range(2):
        await assignment.hear(change)
        await follow(assignment)

    [reconfigured] = assignment.events(AppReconfigured)
    assert (reconfigured.app.id, reconfigured.app.revision) == ("app-1", 2)
    assert reconfigured.app.endpoints == ("right",)
    assert (await assignment.app("app-1")).revision == 2


async def test_a_change_that_moves_nothing_is_not_told_to_workers(assignment: Assignment) -> None:
    await assignment.do(make.assign_app("app-1", resource=at("here", 1)))
    await assignment.hear(make.resource_changed(at("here", 2)))
    await follow(assignment)
    assert assignment.events(AppReconfigured) == []


async def test_workers_hear_that_a_resource_was_locked_and_unlocked(assignment: Assignment) -> None:
    await assignment.do(make.assign_app("app-1", resource=at("here", 1)))
    for revision, locked in ((2, True), (3, False)):
        flagged = at("here", revision).model_copy(update={"locked": locked})
        await assignment.hear(make.resource_changed(flagged))
        await follow(assignment)
    told = [event.app for event in assignment.events(AppReconfigured)]
    assert [(app.revision, app.resource.locked) for app in told] == [(2, True), (3, False)]


async def test_an_app_made_of_what_a_resource_was_follows_at_once(assignment: Assignment) -> None:
    await assignment.hear(make.resource_changed(at("right", 2)))
    await assignment.hear(make.assign_app("app-1", resource=at("wrong", 1)))
    [reconfigured] = assignment.events(AppReconfigured)
    assert (reconfigured.app.revision, reconfigured.app.endpoints) == (2, ("right",))


async def test_a_process_that_died_between_remembering_and_telling_tells_after_all(assignment: Assignment) -> None:
    await assignment.do(make.assign_app("app-1", resource=at("wrong", 1)))
    moved = at("right", 2)
    aggregate = await assignment.store.resources.load(make.ORG, moved.id)
    await assignment.store.resources.save(aggregate, KnownResource(resource=moved, revision=2))
    await assignment.hear(make.resource_changed(moved))
    assert [told.app_id for told in assignment.events(AppResourceChanged)] == ["app-1"]


async def test_every_app_is_listed_however_many_pages(assignment: Assignment) -> None:
    store = dataclasses.replace(assignment.store, page_size=2)
    for number in range(4):
        await assignment.do(make.assign_app(f"app-{number}"))
    listed = await reads.list_apps(store, make.ORG, None)
    assert [app.id for app in listed] == [f"app-{number}" for number in range(4)]


async def test_a_changed_resource_shows_with_its_apps(assignment: Assignment) -> None:
    await assignment.do(make.assign_app("app-1"))
    await assignment.hear(make.resource_changed(make.a_resource(name="renamed", revision=2)))
    await assignment.hear(make.resource_changed(make.a_resource(name="late", revision=1)))
    assert (await assignment.app("app-1")).resource.name == "renamed"
    await assignment.hear(make.resource_removed("res-1", revision=3))
    await assignment.hear(make.resource_changed(make.a_resource(name="ghost", revision=2)))
    [shown] = await reads.list_apps(assignment.store, make.ORG, "source")
    assert shown.resource.name == "renamed"


async def test_many_changes_in_one_event_are_as_good_as_an_event_for_each(assignment: Assignment) -> None:
    await assignment.do(make.assign_app("app-1", resource=at("wrong", 1)))
    others = [make.a_resource(id=f"res-{number}", revision=2) for number in range(2, 5)]
    gone = RemovedResource(id=ResourceId("res-9"), revision=4)
    change = make.wrap(make.resources_changed(at("right", 2), *others, removed=[gone]))

    for _ in range(2):
        await assignment.hear(change)
        await follow(assignment)

    assert (await assignment.app("app-1")).endpoints == ("right",)
    assert len(assignment.events(AppReconfigured)) == 1
    known = [await assignment.store.resource(make.ORG, ResourceId(f"res-{number}")) for number in (2, 3, 4, 9)]
    assert [(each.revision, each.removed) for each in known if each] == [(2, False)] * 3 + [(4, True)]


async def test_changes_in_bulk_and_single_ones_are_told_apart_by_their_revisions(assignment: Assignment) -> None:
    await assignment.do(make.assign_app("app-1", resource=at("first", 1)))
    await assignment.hear(make.resource_changed(at("third", 3)))
    await assignment.hear(make.resources_changed(at("second", 2), make.a_resource(id="new", revision=1)))
    await follow(assignment)
    assert (await assignment.app("app-1")).endpoints == ("third",)
    assert await assignment.store.resource(make.ORG, ResourceId("new")) is None


async def test_integrations_are_known_by_their_newest_version(assignment: Assignment) -> None:
    await assignment.hear(make.integration_offered(make.fs_integration(version="2.0.0")))
    await assignment.hear(make.integration_offered(make.fs_integration(version="1.5.0")))
    found = await offers.list_integrations(assignment.store)
    assert [(i.name, i.version) for i in found] == [("fs", "2.0.0"), ("s3", "1.0.0")]


async def test_an_unusable_manifest_is_not_taken_over(assignment: Assignment) -> None:
    broken = make.fs_integration(version="9.0.0", protocols=[{**make.a_protocol("fs"), "schemas": {}}])
    with pytest.raises(Invalid):
        await assignment.hear(make.integration_offered(broken))
    assert (await offers.list_integrations(assignment.store))[0].version == "1.0.0"


async def test_nothing_is_decided_before_the_first_integration_is_known() -> None:
    empty = Assignment()
    with pytest.raises(TemporaryError):
        await offers.choose(empty.store, make.ORG, make.a_resource(), kind="source", integration_id=None, protocol=None)
    with pytest.raises(TemporaryError):
        await empty.hear(make.assign_app())
    assert empty.published == []


def offered(pool: str, *roots: str) -> Envelope[Message]:
    reach = (Reach(protocol="fs", field="root", within=roots),)
    return make.wrap(PoolOffered(organization_id=EVERYBODY, pool=pool, reach=reach))


async def pools_of(assignment: Assignment, app_id: str) -> tuple[str, ...]:
    found = await reads.get_reachable_app(assignment.store, make.ORG, AppId(app_id))
    return found.pools


async def test_pools_reach_what_lies_within_their_roots(assignment: Assignment) -> None:
    await assignment.do(make.assign_app("app-1", fields={"root": make.clear("/srv/data")}))
    assert await pools_of(assignment, "app-1") == ()
    for event in (offered("branch", "/srv"), offered("attic", "/mnt"), offered("default", "/srv/data", "/home")):
        await assignment.hear(event)
    assert await pools_of(assignment, "app-1") == ("default", "branch")


async def test_the_latest_word_of_a_pool_counts(assignment: Assignment) -> None:
    await assignment.do(make.assign_app("app-1", fields={"root": make.clear("/srv/data")}))
    await assignment.hear(offered("default", "/srv"))
    await assignment.hear(offered("default", "/home"))
    assert await pools_of(assignment, "app-1") == ()


async def test_a_pool_that_was_silent_for_too_long_is_named_again_once_it_is_heard(assignment: Assignment) -> None:
    await assignment.do(make.assign_app("app-1", fields={"root": make.clear("/srv/data")}))
    for pool in ("given-up", "branch"):
        await assignment.hear(offered(pool, "/srv"))
    assignment.now += POOL_SILENCE
    assert await pools_of(assignment, "app-1") == ("branch", "given-up")
    await assignment.hear(offered("branch", "/srv"))
    assignment.now += timedelta(seconds=1)
    assert await pools_of(assignment, "app-1") == ("branch",)
    await assignment.hear(offered("given-up", "/srv"))
    assert await pools_of(assignment, "app-1") == ("branch", "given-up")


async def test_a_pool_kept_before_times_were_noted_is_not_silent(assignment: Assignment) -> None:
    await assignment.do(make.assign_app("app-1"))
    kept = Pool.model_validate({"name": "branch", "reach": ()})
    await assignment.store.pools.save(await assignment.store.pools.load(EVERYBODY, "branch"), kept)
    assert await pools_of(assignment, "app-1") == ("branch",)
