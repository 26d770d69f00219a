"""Use cases of the catalog over the memory store."""

from dataclasses import dataclass
from typing import Any

import pytest
from catalog.inventories import usecases
from catalog.inventories.handlers import register_handlers
from catalog.inventories.store import InventoryStore, resource_keys
from chassis.persistence.aggregates import Aggregate, AlreadyHandled
from chassis.persistence.memory_aggregates import MemoryAggregates
from contracts.errors import NotFound
from contracts.field_values import FieldValue
from contracts.messages.catalog import (
    Inventory,
    InventoryChanged,
    InventoryCreated,
    InventoryRemoved,
    Resource,
    ResourceChanged,
    ResourceRegistered,
    ResourceRemoved,
)
from contracts.messages.outcomes import CommandOutcome
from contracts.messages.resealing import InventoryResealed, Resealed, ResealInventory
from contracts.values import InventoryId, OrganizationId, ResourceId
from pymongo.errors import AutoReconnect

from tests.support import builders as make
from tests.support.memory import MemoryDoor


@dataclass
class Shaky(MemoryAggregates[Resource]):
    """Resources on a database that can fail a number of saves."""

    failures: int = 0

    async def save(self, record: Aggregate[Resource], value: Resource | None, **about: Any) -> Aggregate[Resource]:
        """Save, unless the database fails."""
        if self.failures:
            self.failures -= 1
            raise AutoReconnect("connection closed")
        return await super().save(record, value, **about)


class Catalog(MemoryDoor):
    """A catalog in memory."""

    def __init__(self) -> None:
        super().__init__("catalog")
        inventories = MemoryAggregates(Inventory, published=self.published)
        self.resources = Shaky(Resource, keys=resource_keys, published=self.published)
        self.store = InventoryStore(inventories, self.resources)
        register_handlers(self.dispatcher, self.store, removals_at_once=2)


@pytest.fixture
async def catalog() -> Catalog:
    made = Catalog()
    await made.do(make.create_inventory("inv-1"))
    return made


async def test_an_inventory_is_created_with_its_event(catalog: Catalog) -> None:
    assert catalog.said() == [InventoryCreated, CommandOutcome]
    event, outcome = catalog.published
    assert event.data.key == "inv-1"
    assert outcome.data.model_dump()["result"] == {"id": "inv-1"}
    assert event.causation_id == outcome.causation_id


async def test_a_repeated_command_changes_nothing_and_brings_the_same_outcome(catalog: Catalog) -> None:
    command = make.wrap(make.register_resource("inv-1", "res-1"))
    first = await catalog.do(command)
    again = await catalog.do(command)
    assert first == again
    assert catalog.published[-1].id == catalog.published[-2].id
    assert catalog.said().count(ResourceRegistered) == 1


async def test_a_urn_is_unique_in_its_inventory_only(catalog: Catalog) -> None:
    await catalog.do(make.create_inventory("inv-2"))
    assert (await catalog.do(make.register_resource("inv-1", urn="urn:a"))).accepted
    taken = await catalog.rejection(make.register_resource("inv-1", urn="urn:a"))
    assert (taken.code, taken.kind) == ("urn_taken", "conflict")
    assert (await catalog.do(make.register_resource("inv-2", urn="urn:a"))).accepted


async def test_a_urn_is_free_again_after_its_resource_went(catalog: Catalog) -> None:
    await catalog.do(make.register_resource("inv-1", "res-1", urn="urn:a"))
    await catalog.do(make.remove_resource("inv-1", "res-1"))
    assert (await catalog.do(make.register_resource("inv-1", "res-2", urn="urn:a"))).accepted


async def test_a_change_is_announced_with_a_later_revision(catalog: Catalog) -> None:
    await catalog.do(make.register_resource("inv-1", "res-1"))
    await catalog.do(make.change_resource("inv-1", "res-1", name="renamed"))
    [event] = catalog.events(ResourceChanged)
    assert (event.resource.name, event.resource.revision) == ("renamed", 2)
    resource = await usecases.get_resource(catalog.store, make.ORG, event.resource_id)
    assert resource == event.resource


async def test_what_is_said_already_is_no_change(catalog: Catalog) -> None:
    said = {"name": "vault", "tags": ["z", "a"], "endpoints": ["z.example", "a.example"]}
    await catalog.do(make.register_resource("inv-1", "res-1", **said))
    assert (await catalog.do(make.change_resource("inv-1", "res-1", **said))).accepted
    assert catalog.events(ResourceChanged) == []
    await catalog.do(make.change_resource("inv-1", "res-1", **said | {"tags": ["a", "z"]}))
    assert [event.resource.revision for event in catalog.events(ResourceChanged)] == [2]

    inventory = await usecases.get_inventory(catalog.store, make.ORG, InventoryId("inv-1"))
    assert (await catalog.do(make.change_inventory("inv-1", name=inventory.name))).accepted
    assert catalog.events(InventoryChanged) == []
    assert (await usecases.get_inventory(catalog.store, make.ORG, InventoryId("inv-1"))).revision == 1


async def test_flags_are_set_one_by_one_and_nothing_else_changes(catalog: Catalog) -> None:
    await catalog.do(make.register_resource("inv-1", "res-1", name="vault"))
    await catalog.do(make.flag_resource("inv-1", "res-1", locked=True))
    await catalog.do(make.flag_resource("inv-1", "res-1", excluded_from_coverage=True))
    await catalog.do(make.flag_resource("inv-1", "res-1", locked=False))
    told = [event.resource for event in catalog.events(ResourceChanged)]
    assert [(r.revision, r.locked, r.excluded_from_coverage) for r in told] == [
        (2, True, False), (3, True, True), (4, False, True)
    ]  # fmt: skip
    assert {r.name for r in told} == {"vault"}


async def test_a_flag_that_is_set_already_is_no_change(catalog: Catalog) -> None:
    await catalog.do(make.register_resource("inv-1", "res-1"))
    outcome = await catalog.do(make.flag_resource("inv-1", "res-1", locked=False))
    assert (outcome.accepted, catalog.events(ResourceChanged)) == (True, [])
    for inventory_id, resource_id in (("inv-1", "nothing"), ("inv-2", "res-1")):
        refused = await catalog.rejection(make.flag_resource(inventory_id, resource_id, locked=True))
        assert refused.code == "resource_not_found"
    stranger = await catalog.rejection(
        make.flag_resource("inv-1", "res-1", locked=True, org=OrganizationId("stranger"))
    )
    assert stranger.code == "resource_not_found"


async def test_a_lock_stays_when_the_resource_is_described_anew(catalog: Catalog) -> None:
    await catalog.do(make.register_resource("inv-1", "res-1"))
    await catalog.do(make.flag_resource("inv-1", "res-1", locked=True))
    await catalog.do(make.change_resource("inv-1", "res-1", name="renamed"))
    resource = await usecases.get_resource(catalog.store, make.ORG, ResourceId("res-1"))
    assert (resource.name, resource.locked, resource.revision) == ("renamed", True, 3)


async def test_a_removed_inventory_takes_its_resources_along(catalog: Catalog) -> None:
    await catalog.do(make.create_inventory("inv-2"))
    for number in range(5):
        await catalog.do(make.register_resource("inv-1", urn=f"urn:{number}"))
    await catalog.do(make.register_resource("inv-2", "kept"))
    before = len(catalog.published)

    outcome = await catalog.do(make.remove_inventory("inv-1"))

    assert outcome.accepted
    assert catalog.said()[before:] == [ResourceRemoved] * 5 + [InventoryRemoved, CommandOutcome]
    assert [r.id for r in (await catalog.resources.find(make.ORG)).items] == ["kept"]
    assert (await catalog.rejection(make.register_resource("inv-1"))).code == "inventory_not_found"


@pytest.mark.parametrize("failures", [1, 2])
async def test_a_removal_is_tried_again_when_the_database_failed(catalog: Catalog, failures: int) -> None:
    for number in range(3):
        await catalog.do(make.register_resource("inv-1", urn=f"urn:{number}"))
    command = make.wrap(make.remove_inventory("inv-1"))
    before, catalog.resources.failures = catalog.said().count(CommandOutcome), failures

    with pytest.raises(AutoReconnect):
        await catalog.do(command)
    assert catalog.said().count(CommandOutcome) == before
    outcome = await catalog.do(command)

    assert outcome.accepted
    assert len(catalog.events(ResourceRemoved)) == 3
    assert len(catalog.events(InventoryRemoved)) == 1


async def test_other_organizations_see_nothing(catalog: Catalog) -> None:
    stranger = OrganizationId("stranger")
    await catalog.do(make.register_resource("inv-1", "res-1"))
    problem = await catalog.rejection(make.register_resource("inv-1", org=stranger))
    assert problem.code == "inventory_not_found"
    page = await catalog.store.search_inventories(stranger, text="", kind=None, limit=50, offset=0)
    assert (page.total, page.items) == (0, [])
    with pytest.raises(NotFound):
        await usecases.get_inventory(catalog.store, stranger, make.an_inventory().id)


async def test_the_store_remembers_who_caused_a_removal(catalog: Catalog) -> None:
    await catalog.do(make.register_resource("inv-1", "res-1"))
    command = make.wrap(make.remove_inventory("inv-1"))
    await catalog.do(command)
    with pytest.raises(AlreadyHandled):
        await catalog.store.inventories.load(make.ORG, "inv-1", cause=command)
    removed = next(e for e in catalog.published if isinstance(e.data, ResourceRemoved))
    assert (removed.correlation_id, removed.causation_id) == (command.correlation_id, command.id)


async def test_a_removal_names_the_inventory(catalog: Catalog) -> None:
    for resource_id in ("res-1", "res-2"):
        await catalog.do(make.register_resource("inv-1", resource_id, urn=f"urn:{resource_id}"))
    await catalog.do(make.remove_resource("inv-1", "res-1"))
    await catalog.do(make.remove_inventory("inv-1"))
    told = catalog.events(ResourceRemoved)
    assert [(each.resource_id, each.inventory_id) for each in told] == [("res-1", "inv-1"), ("res-2", "inv-1")]


async def test_a_managed_inventory_is_announced_with_its_secrets_sealed(catalog: Catalog) -> None:
    given = {"k8s_kubeconf": make.sealed()}
    assert (await catalog.do(make.create_inventory("inv-k", kind="k8s", configuration=given))).accepted
    assert catalog.events(InventoryCreated)[-1].inventory.configuration == given
    assert (await catalog.rejection(make.register_resource("inv-k"))).code == "inventory_managed"
    kept = {"k8s_kubeconf": FieldValue(keep=True)}
    await catalog.do(make.change_inventory("inv-k", kind="k8s", configuration=kept))
    assert catalog.events(InventoryChanged)[-1].inventory.configuration == given


async def test_inventories_are_found_by_name_and_type(catalog: Catalog) -> None:
    for inventory_id, name, kind in (("inv-2", "Cellar two", "k8s"), ("inv-3", "attic", "k8s")):
        await catalog.do(make.create_inventory(inventory_id, name=name, kind=kind))

    async def found(text: str, kind: Any = None, *, offset: int = 0) -> tuple[int, list[str]]:
        page = await catalog.store.search_inventories(make.ORG, text=text, kind=kind, limit=50, offset=offset)
        return page.total, [each.id for each in page.items]

    assert await found("cellar") == (2, ["inv-1", "inv-2"])
    assert await found("", "k8s") == (2, ["inv-2", "inv-3"])
    assert await found("", "k8s", offset=1) == (2, ["inv-3"])
    assert await found("CELLAR", "k8s") == (1, ["inv-2"])
    assert await found("attic", "aws") == (0, [])


async def test_a_resealed_inventory_is_announced_once(catalog: Catalog) -> None:
    given = {"k8s_kubeconf": make.sealed()}
    await catalog.do(make.create_inventory("inv-k", kind="k8s", configuration=given))
    old = given["k8s_kubeconf"].sealed
    assert old is not None
    new = old.model_copy(update={"key_id": "new", "nonce": "bmV3"})
    resealed = (Resealed(field="k8s_kubeconf", nonce=old.nonce, sealed=new),)
    for replaced in (1, 0):
        command = ResealInventory(organization_id=make.ORG, inventory_id=InventoryId("inv-k"), resealed=resealed)
        assert (await catalog.do(command)).result == {"id": "inv-k", "replaced": replaced}
    [event] = catalog.events(InventoryResealed)
    assert event.inventory.configuration == {"k8s_kubeconf": FieldValue(sealed=new)}
