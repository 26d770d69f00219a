"""Commands in, outcomes and events out, on real servers."""

import asyncio
from typing import Any

import httpx
from chassis.ids import new_id
from contracts.envelope import Envelope
from contracts.messages.catalog import (
    InventoryCreated,
    InventoryRemoved,
    ResourceChanged,
    ResourceRegistered,
    ResourceRemoved,
)
from contracts.messages.outcomes import CommandOutcome
from contracts.topics import CATALOG_COMMANDS, dead_letters

from tests.support import builders as make
from tests.support.door import Asker
from tests.support.kafka import Raw, header
from tests.support.waiting import eventually_async


async def an_inventory(catalog: Asker) -> str:
    outcome = await catalog.ask(make.create_inventory())
    assert outcome.accepted
    return str(outcome.result["id"])


async def test_a_command_brings_its_outcome_and_its_event(catalog: Asker, http: httpx.AsyncClient) -> None:
    command = make.wrap(make.create_inventory(name="cellar"))
    outcome = await catalog.ask(command)
    event = await catalog.ear.message(InventoryCreated, lambda e: e.inventory_id == command.data.inventory_id)
    assert outcome.result == {"id": command.data.inventory_id}
    assert (event.causation_id, event.correlation_id) == (command.id, command.id)
    shown = (await http.get(f"/internal/inventories/{command.data.inventory_id}")).json()
    nothing = {"count": 0, "coverage": {"protected": 0, "unprotected": 0, "excluded": 0}, "summaries": []}
    assert shown == {**event.data.inventory.model_dump(), **nothing}


async def test_a_second_delivery_changes_nothing_and_brings_the_same_outcome(
    catalog: Asker, http: httpx.AsyncClient
) -> None:
    inventory = await an_inventory(catalog)
    command = make.wrap(make.register_resource(inventory))

    def outcomes() -> list[Envelope[Any]]:
        return [e for e in catalog.heard(CommandOutcome) if e.data.command_id == command.id]

    for _ in range(3):
        await catalog.wire.publish(command)
    await catalog.ear.until(lambda _: len(outcomes()) == 3)

    assert len({(e.id, e.data.model_dump_json()) for e in outcomes()}) == 1
    assert len([e for e in catalog.heard(ResourceRegistered) if e.causation_id == command.id]) == 1
    resource = (await http.get(f"/internal/resources/{command.data.resource_id}")).json()
    assert resource["revision"] == 1


async def test_only_one_of_many_gets_a_urn(catalog: Asker, http: httpx.AsyncClient) -> None:
    inventory = await an_inventory(catalog)
    commands = [make.wrap(make.register_resource(inventory, urn="urn:wanted")) for _ in range(20)]
    for command in commands:
        await catalog.wire.publish(command)
    outcomes = [await catalog.outcome(command) for command in commands]
    assert [o.accepted for o in outcomes].count(True) == 1
    assert {o.problem.code for o in outcomes if o.problem} == {"urn_taken"}
    page = (await http.get("/internal/resources", params={"inventory_id": inventory})).json()
    assert (page["total"], len(page["items"])) == (1, 1)


async def test_concurrent_writes_lose_nothing(catalog: Asker, http: httpx.AsyncClient) -> None:
    inventory = await an_inventory(catalog)
    ids = [new_id() for _ in range(30)]
    registered = [make.wrap(make.register_resource(inventory, id_, urn=f"urn:{id_}")) for id_ in ids]
    changed = [make.wrap(make.change_resource(inventory, id_, urn=f"urn:{id_}", tags=["new"])) for id_ in ids]
    await asyncio.gather(*(catalog.ask_all([a, b]) for a, b in zip(registered, changed, strict=True)))
    page = (await http.get("/internal/resources", params={"inventory_id": inventory, "limit": 50})).json()
    assert {r["id"] for r in page["items"]} == set(ids)
    assert {(r["revision"], *r["tags"]) for r in page["items"]} == {(2, "new")}


async def test_a_resource_is_changed_and_removed(catalog: Asker, http: httpx.AsyncClient) -> None:
    inventory, id_ = await an_inventory(catalog), new_id()
    await catalog.ask(make.register_resource(inventory, id_))
    await catalog.ask(make.change_resource(inventory, id_, endpoints=["b:1", "10.0.0.1", "[::1]:2"], tags=["z", "a"]))
    changed = await catalog.ear.message(ResourceChanged, lambda e: e.resource_id == id_)
    shown = (await http.get(f"/internal/resources/{id_}")).json()
    assert shown == changed.data.resource.model_dump(mode="json", by_alias=True)
    assert [e["kind"] for e in shown["endpoints"]] == ["host", "inet4", "inet6"]
    assert (shown["tags"], shown["class"], shown["locked"]) == (["z", "a"], "file-storage", False)

    assert (await catalog.rejection(make.change_resource(inventory, id_, urn="urn:other"))).code == "urn_fixed"
    assert (await catalog.ask(make.remove_resource(inventory, id_))).accepted
    removed = await catalog.ear.message(ResourceRemoved, lambda e: e.resource_id == id_)
    assert removed.data.revision == 3
    assert (await http.get(f"/internal/resources/{id_}")).status_code == 404
    assert (await catalog.rejection(make.remove_resource(inventory, id_))).code == "resource_not_found"


async def test_a_removed_inventory_takes_its_resources_along(catalog: Asker, http: httpx.AsyncClient) -> None:
    inventory = await an_inventory(catalog)
    ids = {new_id() for _ in range(40)}
    await catalog.ask_all([make.wrap(make.register_resource(inventory, id_, urn=f"urn:{id_}")) for id_ in ids])
    outcome = await catalog.ask(make.remove_inventory(inventory))
    assert outcome.result == {"id": inventory}
    await catalog.ear.message(InventoryRemoved, lambda e: e.inventory_id == inventory)
    await catalog.ear.until(lambda _: ids <= {e.data.resource_id for e in catalog.heard(ResourceRemoved)})
    assert (await http.get(f"/internal/inventories/{inventory}")).status_code == 404
    assert (await http.get("/internal/resources", params={"inventory_id": inventory})).json()["total"] == 0


async def test_rejections_are_told_in_words(catalog: Asker) -> None:
    incomplete = await catalog.rejection(make.create_inventory(kind="aws"))
    assert (incomplete.code, incomplete.kind) == ("inventory_invalid", "invalid")
    assert "aws_configuration.region is missing" in incomplete.detail
    odd = await catalog.rejection(make.register_resource(await an_inventory(catalog), name="a\x01b", urn=""))
    assert {f.field for f in odd.fields} == {"name", "urn"}
    assert (await catalog.rejection(make.register_resource("nothing"))).code == "inventory_not_found"
    assert (await catalog.rejection(make.change_inventory("nothing"))).kind == "not_found"


async def test_malformed_messages_become_dead_letters_and_stop_nothing(catalog: Asker) -> None:
    facts = [("ce_id", b"x"), ("ce_source", b"/stranger"), ("ce_specversion", b"1.0")]
    create = ("ce_type", b"cairn.catalog.inventory.create.v1")
    await catalog.wire.send(CATALOG_COMMANDS, b"no cloud event", key=b"k")
    await catalog.wire.send(CATALOG_COMMANDS, b'{"name": ', key=b"k", headers=[*facts, create])
    await catalog.wire.send(CATALOG_COMMANDS, b'{"name": "x"}', key=b"k", headers=[*facts, create])
    await catalog.wire.send(CATALOG_COMMANDS, None, key=b"k", headers=[*facts, create])
    await catalog.wire.send(CATALOG_COMMANDS, b"{}", key=b"k", headers=[*facts, ("ce_type", b"somebody.else.v1")])
    nul = make.wrap(make.create_inventory(name="nul\x00"))
    await catalog.wire.publish(nul)
    assert (await catalog.ask(make.create_inventory())).accepted

    async def dead_lettered() -> list[Raw]:
        found = await catalog.wire.read(dead_letters(CATALOG_COMMANDS))
        return found if len(found) >= 5 else []

    records = await eventually_async(dead_lettered)
    reasons = [header(r, "__connect.errors.exception.message") for r in records]
    assert len(records) == 5
    assert all(reasons)
    assert any("inventory_id" in str(reason) for reason in reasons)
