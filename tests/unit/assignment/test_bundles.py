"""What a bundle is, and what becomes of bundles; over the memory store."""

from datetime import UTC, datetime
from typing import Any

import pytest
from assignment.bundles import usecases
from assignment.bundles.domain import bundles
from assignment.bundles.handlers import register_handlers
from assignment.bundles.store import BundleStore, Follow, RemovedInventory
from chassis.persistence.memory_aggregates import MemoryAggregates
from contracts.errors import Conflict, Invalid, NotFound, PreconditionFailed
from contracts.field_values import FieldValue
from contracts.messages.bundles import (
    Bundle,
    BundleChanged,
    BundleCreated,
    BundleInventoryRemoved,
    BundleRemoved,
    BundlesChanged,
)
from contracts.messages.catalog import InventoryRemoved
from contracts.messages.connector.offers import Integration
from contracts.messages.outcomes import CommandOutcome
from contracts.queries.bundles import BundleQuestion
from contracts.values import BundleId, IntegrationId, InventoryId, OrganizationId

from tests.support import builders as make
from tests.support.builders import clear, sealed
from tests.support.memory import MemoryDoor

CANARY = "canary-in-a-bundle"
INTEGRATIONS = [make.fs_integration(), make.s3_integration()]
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def created(*others: Bundle, **description: Any) -> Bundle:
    return bundles.create(make.create_bundle("new", **description), others, INTEGRATIONS, known=False, now=NOW)


def test_a_bundle_is_what_was_said() -> None:
    made = created(
        name="buckets",
        environment="production",
        resource_classes=["object-storage"],
        resource_subclasses=["s3"],
        tags=["b", "a"],
        fields={"use_tls": clear("true"), "secret_access_key": sealed(), "colour": sealed()},
    )
    assert (made.id, made.name, made.revision, made.updated_at) == ("new", "buckets", 1, NOW)
    assert (made.tags, made.inventory_id, made.integration_id) == (("b", "a"), None, None)
    assert made.fields["use_tls"] == clear("true")


@pytest.mark.parametrize(
    ("description", "field"),
    [
        ({"name": " "}, "name"),
        ({"environment": "a\nb"}, "environment"),
        ({"resource_subclasses": ["s3"]}, "resource_subclasses"),
        ({"resource_classes": ["ok", ""]}, "resource_classes.1"),
        ({"tags": ["x"] * 201}, "tags"),
        ({"integration_id": "nobody"}, "integration_id"),
        ({"fields": {"a.b": sealed()}}, "fields.a.b"),
        ({"fields": {"$where": sealed()}}, "fields.$where"),
        ({"fields": {"secret_access_key": clear(CANARY)}}, "fields.secret_access_key"),
        ({"fields": {"passphrase": clear(CANARY)}}, "fields.passphrase"),
        ({"fields": {"colour": clear(CANARY)}}, "fields.colour"),
        ({"fields": {"root": clear("x" * 65_537)}}, "fields.root"),
        ({"fields": {"access_key": sealed()}, "integration_id": "int-fs"}, "fields.access_key"),
        ({"fields": {f"f{n}": sealed() for n in range(201)}}, "fields"),
    ],
)
def test_what_cannot_be_kept_is_refused_without_its_value(description: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        created(**description)
    assert refused.value.code == "bundle_invalid"
    assert field in refused.value.fields
    assert CANARY not in f"{refused.value} {refused.value.fields}"


def test_only_what_is_secret_nowhere_may_travel_in_clear() -> None:
    assert bundles.clear_fields(INTEGRATIONS, None) == {"root", "access_key", "use_tls"}
    assert bundles.clear_fields(INTEGRATIONS, IntegrationId("int-fs")) == {"root"}
    secretive = make.an_integration(
        "other", protocols=[make.a_protocol("x", schema=make.a_schema(root={"x-secret": True}))]
    )
    assert "root" not in bundles.clear_fields([*INTEGRATIONS, secretive], None)
    assert "root" in bundles.clear_fields([*INTEGRATIONS, secretive], IntegrationId("int-s3"))


@pytest.mark.parametrize(
    ("mine", "others", "refused"),
    [
        ({}, {}, True),
        ({"environment": "production"}, {"environment": "production"}, True),
        ({"environment": "production"}, {"environment": "staging"}, False),
        ({"environment": "production"}, {}, False),
        ({"environment": "production"}, {"resource_classes": ["database"]}, True),
        ({"resource_classes": ["a", "b"]}, {"resource_classes": ["b", "c"]}, True),
        ({"resource_classes": ["a"]}, {"resource_classes": ["b"]}, False),
        ({"tags": ["red"]}, {"tags": ["red"]}, True),
        ({"tags": ["red"]}, {"tags": ["blue"]}, False),
        ({"inventory_id": "inv-1"}, {}, False),
        ({"inventory_id": "inv-1"}, {"inventory_id": "inv-1"}, True),
        ({"inventory_id": "inv-1"}, {"inventory_id": "inv-2"}, False),
        ({"integration_id": "int-s3"}, {"integration_id": "int-fs"}, False),
    ],
)
def test_a_tie_is_refused_where_scopes_meet_and_neither_goes_first(
    mine: dict[str, Any], others: dict[str, Any], refused: bool
) -> None:
    other = make.a_bundle("other", name="shelf", **others, fields={"root": clear("b")})
    created(other, name="cellar", **mine, fields={"root": clear("b")})
    if not refused:
        created(other, name="cellar", **mine, fields={"root": clear("a")})
        return
    with pytest.raises(Conflict) as tie:
        created(other, name="cellar", **mine, fields={"root": clear("a")})
    assert tie.value.code == "bundles_tie"
    place = "inventory" if "inventory_id" in mine else "organization"
    assert f"'cellar' and 'shelf' of the {place}" in tie.value.fields["fields.root"]


def test_what_was_said_before_is_no_change() -> None:
    secret = sealed()
    current = make.a_bundle("new", tags=["b", "a"], fields={"root": clear("a"), "passphrase": secret})
    again = {"root": clear("a"), "passphrase": FieldValue(keep=True)}
    command = make.change_bundle("new", name="new", tags=["b", "a"], fields=again)
    assert bundles.change(current, command, [current], INTEGRATIONS, now=NOW) is current
    command = make.change_bundle("new", name="new", tags=["a", "b"], fields=again)
    changed = bundles.change(current, command, [current], INTEGRATIONS, now=NOW)
    assert (changed.revision, changed.tags, changed.fields["passphrase"]) == (2, ("a", "b"), secret)


@pytest.mark.parametrize("name", ["root", "secret_access_key"])
def test_nothing_can_stay_where_no_secret_is(name: str) -> None:
    current = make.a_bundle("new", fields={"root": clear("a")})
    command = make.change_bundle("new", fields={name: FieldValue(keep=True)})
    with pytest.raises(Conflict) as refused:
        bundles.change(current, command, [], INTEGRATIONS, now=NOW)
    assert (refused.value.code, list(refused.value.fields)) == ("nothing_masked", [f"fields.{name}.masked"])


def test_a_bundle_that_somebody_else_changed_stays_as_it_is() -> None:
    current = make.a_bundle("new", revision=3)
    with pytest.raises(PreconditionFailed) as refused:
        bundles.change(current, make.change_bundle("new", expected=2), [], INTEGRATIONS, now=NOW)
    assert refused.value.code == "revision_changed"
    assert bundles.require(current, expected_revision=3) is current
    with pytest.raises(NotFound):
        bundles.require(None)


class Bundles(MemoryDoor):
    """The area of bundles in memory."""

    def __init__(self) -> None:
        super().__init__("assignment")
        self.store = BundleStore(
            MemoryAggregates(Bundle, published=self.published),
            MemoryAggregates(RemovedInventory, published=self.published),
            MemoryAggregates(Follow, published=self.published),
            clock=lambda: NOW,
        )
        register_handlers(self.dispatcher, self.store, self.integrations)

    async def integrations(self) -> list[Integration]:
        return INTEGRATIONS

    async def listed(self, **conditions: Any) -> list[str]:
        found = await usecases.list_bundles(self.store, make.ORG, BundleQuestion(**conditions))
        assert found.total == len(found.items)
        return [bundle.id for bundle in found.items]


@pytest.fixture
def area() -> Bundles:
    return Bundles()


async def test_a_bundle_is_created_changed_and_removed_and_apps_are_told(area: Bundles) -> None:
    outcome = await area.do(make.create_bundle("b1", fields={"root": clear("a")}))
    assert outcome.result == {"id": "b1", "revision": 1}
    assert area.said() == [BundleCreated, BundlesChanged, CommandOutcome]
    outcome = await area.do(make.change_bundle("b1", name="other"))
    assert outcome.result == {"id": "b1", "revision": 2}
    assert area.said()[3:] == [BundleChanged, BundlesChanged, CommandOutcome]
    await area.do(make.remove_bundle("b1", expected=2))
    assert area.said()[6:] == [BundleRemoved, BundlesChanged, CommandOutcome]
    assert area.events(BundleRemoved)[0].revision == 3
    with pytest.raises(NotFound):
        await usecases.get_bundle(area.store, make.ORG, BundleId("b1"))
    assert (await area.rejection(make.create_bundle("b1"))).code == "bundle_exists"


async def test_a_repeated_command_changes_nothing_and_brings_the_same_outcome(area: Bundles) -> None:
    command = make.wrap(make.create_bundle("b1"))
    assert await area.do(command) == await area.do(command)
    assert area.said() == [BundleCreated, BundlesChanged, CommandOutcome, CommandOutcome]


async def test_a_change_that_says_nothing_new_tells_nobody(area: Bundles) -> None:
    await area.do(make.create_bundle("b1", name="same"))
    outcome = await area.do(make.change_bundle("b1", name="same"))
    assert outcome.result == {"id": "b1", "revision": 1}
    assert area.events(BundleChanged) == []


async def test_bundles_are_listed_by_where_they_belong_and_by_their_scope(area: Bundles) -> None:
    await area.do(make.create_bundle("b1", name="Cellar", environment="production", tags=["red", "team=a"]))
    await area.do(make.create_bundle("b2", name="shelf", integration_id="int-s3"))
    await area.do(make.create_bundle("b3", inventory_id="inv-1"))
    assert await area.listed() == ["b1", "b2"]
    assert await area.listed(inventory_id="inv-1") == ["b3"]
    assert await area.listed(environment="production") == ["b1"]
    assert await area.listed(tags=("team=a",)) == ["b1"]
    assert await area.listed(integration_id="int-s3") == ["b2"]
    assert await area.listed(search="CELL") == ["b1"]
    assert await area.listed(inventory_id="inv-2") == []
    page = await usecases.list_bundles(area.store, make.ORG, BundleQuestion(limit=1, offset=1))
    assert ([b.id for b in page.items], page.total) == (["b2"], 2)
    assert (await usecases.list_bundles(area.store, OrganizationId("x"), BundleQuestion())).total == 0


async def test_the_bundles_of_an_inventory_go_with_it(area: Bundles) -> None:
    for name, inventory in (("b1", "inv-1"), ("b2", "inv-1"), ("b3", "inv-2"), ("b4", None)):
        await area.do(make.create_bundle(name, inventory_id=inventory))
    gone = make.wrap(InventoryRemoved(organization_id=make.ORG, inventory_id=InventoryId("inv-1")))
    for _ in range(2):
        await area.hear(gone)
        for told in [e for e in area.published if isinstance(e.data, BundleInventoryRemoved)]:
            await area.hear(told)
    assert [removed.bundle_id for removed in area.events(BundleRemoved)] == ["b1", "b2"]
    assert [bundle.id for bundle in await area.store.bundles_of(make.ORG)] == ["b3", "b4"]
    late = await area.rejection(make.create_bundle(inventory_id="inv-1"))
    assert (late.code, late.kind) == ("inventory_not_found", "not_found")
