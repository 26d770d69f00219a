"""Commands in, outcomes and events out, on real servers."""

from typing import Any

import httpx
from chassis.ids import new_id
from contracts.envelope import Envelope
from contracts.messages.assignment import AppAssigned, AppReconfigured, AppRemoved
from contracts.messages.outcomes import CommandOutcome
from contracts.topics import ASSIGNMENT_COMMANDS, CONNECTOR_EVENTS, dead_letters

from tests.support import builders as make
from tests.support.door import Asker
from tests.support.kafka import Raw, header
from tests.support.waiting import eventually_async


async def test_an_app_is_assigned_and_shown(assignment: Asker, http: httpx.AsyncClient) -> None:
    store = {"kind": "store", "fields": {"root": make.clear("/srv"), "passphrase": make.sealed()}}
    command = make.wrap(make.assign_app(data_classes=["z", "a"], environment="staging", **store))
    outcome = await assignment.ask(command)
    assigned = await assignment.ear.message(AppAssigned, lambda e: e.app_id == command.data.app_id)
    assert outcome.result == {"id": command.data.app_id, "revision": 1}
    shown = (await http.get(f"/internal/apps/{command.data.app_id}")).json()
    # No worker has said yet what it reaches; one has offered the integration, and no bundle gave a field.
    assert (shown.pop("pools"), shown.pop("is_offered"), shown.pop("bundle_names")) == ([], True, {})
    assert shown == assigned.data.app.model_dump(mode="json", by_alias=True)
    assert (shown["integration"]["name"], shown["protocol"], shown["temperature"]) == ("fs", "fs", "hot")
    assert shown["data_classes"] == ["z", "a"]
    assert shown["fields"]["passphrase"]["sealed"] == make.sealed().model_dump(mode="json")["sealed"]


async def test_a_second_delivery_changes_nothing_and_brings_the_same_outcome(
    assignment: Asker, http: httpx.AsyncClient
) -> None:
    command = make.wrap(make.assign_app())

    def outcomes() -> list[Envelope[Any]]:
        return [e for e in assignment.heard(CommandOutcome) if e.data.command_id == command.id]

    for _ in range(3):
        await assignment.wire.publish(command)
    await assignment.ear.until(lambda _: len(outcomes()) == 3)

    assert len({(e.id, e.data.model_dump_json()) for e in outcomes()}) == 1
    assert len([e for e in assignment.heard(AppAssigned) if e.causation_id == command.id]) == 1
    assert (await http.get(f"/internal/apps/{command.data.app_id}")).json()["revision"] == 1


async def test_an_app_is_reconfigured_and_removed(assignment: Asker, http: httpx.AsyncClient) -> None:
    id_ = new_id()
    await assignment.ask(make.assign_app(id_))
    outcome = await assignment.ask(make.reconfigure_app(id_, name="renamed", fields={"root": make.clear("/home")}))
    assert outcome.result == {"id": id_, "revision": 2}
    reconfigured = await assignment.ear.message(AppReconfigured, lambda e: e.app_id == id_)
    assert (await http.get(f"/internal/apps/{id_}")).json()["fields"] == reconfigured.data.model_dump()["app"]["fields"]
    assert (await assignment.rejection(make.reconfigure_app(id_, kind="store"))).code == "app_kind_fixed"

    assert (await assignment.ask(make.remove_app(id_))).accepted
    removed = await assignment.ear.message(AppRemoved, lambda e: e.app_id == id_)
    assert removed.data.revision == 3
    assert (await http.get(f"/internal/apps/{id_}")).status_code == 404
    assert (await assignment.rejection(make.remove_app(id_))).code == "app_not_found"
    assert (await assignment.rejection(make.assign_app(id_))).code == "app_exists"


async def test_rejections_name_the_fields_and_quote_no_value(assignment: Asker) -> None:
    fields = {"root": make.clear("relative-canary"), "colour": make.clear("canary"), "passphrase": make.clear("canary")}
    problem = await assignment.rejection(make.assign_app(fields=fields))
    assert (problem.code, problem.kind) == ("configuration_invalid", "invalid")
    assert {f.field for f in problem.fields} == {"fields.root", "fields.colour", "fields.passphrase"}
    assert "canary" not in problem.model_dump_json()
    teapot = make.a_resource(**{"class": "teapot", "subclass": "brown"})
    unknown = await assignment.rejection(make.assign_app(resource=teapot))
    assert unknown.code == "integration_incompatible"
    assert "teapot" in unknown.detail
    assert (await assignment.rejection(make.assign_app(integration_id="int-s3"))).code == "integration_incompatible"
    assert (await assignment.rejection(make.assign_app(integration_id="nobody"))).code == "integration_not_found"


async def test_malformed_messages_become_dead_letters_and_stop_nothing(assignment: Asker) -> None:
    facts = [("ce_id", b"x"), ("ce_source", b"/stranger"), ("ce_specversion", b"1.0")]
    assign = ("ce_type", b"cairn.assignment.app.assign.v1")
    await assignment.wire.send(ASSIGNMENT_COMMANDS, b"\xff\xfe", key=b"k")
    await assignment.wire.send(ASSIGNMENT_COMMANDS, b'{"app_id": 7}', key=b"k", headers=[*facts, assign])
    broken = make.fs_integration(version="9.0.0", protocols=[{**make.a_protocol("fs"), "schemas": {}}])
    await assignment.wire.publish(make.integration_offered(broken))
    assert (await assignment.ask(make.assign_app())).accepted

    async def dead_lettered(topic: str, number: int) -> list[Raw]:
        found = await assignment.wire.read(dead_letters(topic))
        return found if len(found) >= number else []

    commands = await eventually_async(lambda: dead_lettered(ASSIGNMENT_COMMANDS, 2))
    offers = await eventually_async(lambda: dead_lettered(CONNECTOR_EVENTS, 1))
    assert all(header(record, "__connect.errors.exception.message") for record in [*commands, *offers])
    assert "manifest_invalid" in str(header(offers[0], "__connect.errors.exception.message"))
