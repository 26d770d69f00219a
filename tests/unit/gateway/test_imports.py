"""Lists of resources as they come in: read in a process of their own, checked, sent in parts. Without servers."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest
from chassis.messaging.command_client import Commands, StillRunning
from contracts.messages.imports import ApplyImport, StageImport
from contracts.resource_csv import MOST_FAULTS, write_line
from contracts.values import OrganizationId
from fastapi import FastAPI
from gateway.access.principal import Principal
from gateway.api import build_api
from gateway.areas.imports import lists
from gateway.areas.imports.lists import ListInvalid, UsableList
from gateway.areas.imports.service import Imports
from gateway.audit_log.entries import AuditRow
from gateway.audit_log.log import AuditLog
from gateway.http.dependencies import Services, principal_of
from gateway.idempotency.keys import IdempotencyKeys
from starlette.exceptions import HTTPException

from tests.support import builders as make
from tests.unit.gateway.in_memory import AuditInMemory
from tests.unit.gateway.services import a_problem, clients_of
from tests.unit.gateway.test_domain import an_app

ORG = OrganizationId("org")
LIMIT = 200_000
COUNTS = {"added": 1, "changed": 2, "unchanged": 3, "removed": 4}
BULK, EXPORT = "/api/v1/inventories/inv-1/resources/bulk", "/api/v1/inventories/inv-1/resources/export"


class Broker(Commands):
    """Takes commands, and says that lists are applied."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.ids: list[str] = []
        self.still_running = False

    async def hand_over(self, command: Any, *, command_id: str, correlation_id: str) -> None:
        self.taken.append(command)
        self.ids.append(command_id)

    async def carry_out(self, command: Any, **ids: Any) -> dict[str, Any]:
        self.taken.append(command)
        self.ids.append(ids["command_id"])
        if self.still_running:
            raise StillRunning(make.wrap(command), taken=True)
        return {"import_id": command.import_id, **COUNTS}


class Room:
    """The API over a catalog with one inventory, which holds `nas` (used by two connectors) and `spare`."""

    def __init__(self) -> None:
        self.kind, self.count = "self-managed", 2
        self.resources = {id_: make.a_resource(id=id_, urn=f"urn:{id_}", name=id_) for id_ in ("nas", "spare")}
        self.apps = [
            {"id": "a1", "name": "files", "kind": "source", "of": "nas"},
            {"id": "a2", "name": "vault", "kind": "store", "of": "nas"},
            {"id": "a3", "name": "late", "kind": "source", "of": "gone"},
        ]
        self.broker, self.written = Broker(), list[AuditRow]()
        clients = clients_of(self.answer)
        self.imports = Imports(clients.catalog, clients.assignment, self.broker, most_bytes=LIMIT, at_once=1)
        audit = AuditLog(AuditInMemory(self.written), kept_days=1)
        keys = IdempotencyKeys(cast("Any", None), bytes(32))
        self.who = Principal(account_id="someone", organization_id=ORG, roles=("owner",))
        services = Services(self.imports, clients.catalog, audit, keys)
        self.app: FastAPI = build_api(services, {}, max_body_bytes=1000)
        self.app.dependency_overrides |= {principal_of: lambda: self.who}

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/internal/inventories/inv-1":
            facts = {"id": "inv-1", "name": "cellar", "type": self.kind, "revision": 1, "count": self.count}
            return httpx.Response(200, json=facts)
        if path == "/internal/inventories/inv-1/list":
            text = "".join(map(write_line, self.resources.values()))
            return httpx.Response(
                200, text=text, headers={"content-type": "text/csv", "content-disposition": "attachment"}
            )
        if path == "/internal/apps":
            return httpx.Response(200, json={"items": [self.app_of(**each) for each in self.apps]})
        if found := self.resources.get(path.removeprefix("/internal/resources/")):
            return httpx.Response(200, json=json.loads(found.model_dump_json(by_alias=True)))
        return a_problem(404, "nothing_found")

    def app_of(self, *, of: str, **facts: Any) -> Any:
        resource = make.a_resource(id=of, urn=f"urn:{of}", name=of)
        return json.loads(an_app(resource=resource, **facts).model_dump_json(by_alias=True))

    async def send(self, content: str | bytes, **query: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        headers = {"content-type": "application/octet-stream"}
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
            return await http.post(BULK, content=content, params=query, headers=headers)


@pytest.fixture
def room() -> Room:
    return Room()


async def whole(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def read(content: str) -> UsableList:
    async with lists.received(whole(content.encode()), most_bytes=10**9) as upload:
        return await lists.read(upload)


async def test_a_list_is_read_in_parts_that_messages_carry() -> None:
    long = ",".join(f"host-{n:03}.example.com" for n in range(100))
    text = "".join(f"Object Storage;;urn:{n};{long if n < 200 else ''}\n" for n in range(1500))
    found = await read(text)
    parts = [json.loads(part) for part in found.parts]
    rows = [row for part in parts for row in part]
    assert (found.rows, len(rows), len(found.urns)) == (1500, 1500, 1500)
    assert [row["urn"] for row in rows] == [f"urn:{n}" for n in range(1500)]
    assert max(map(len, parts)) <= 500
    assert max(map(len, found.parts)) < 400_000
    assert rows[0]["class"] == "object-storage"


async def test_faults_are_named_by_line_and_column() -> None:
    with pytest.raises(ListInvalid) as raised:
        await read("compute;a;urn:a;h\ncompute;b;urn:a;h:x\nnothing")
    assert list(raised.value.fields) == ["lines.2.hostname", "lines.2.urn", "lines.3"]
    assert "3 faults" in raised.value.detail
    assert "line 2" in raised.value.detail


async def test_of_many_faults_some_are_named_and_all_are_counted() -> None:
    with pytest.raises(ListInvalid) as raised:
        await read("nothing\n" * 1000)
    assert len(raised.value.fields) == MOST_FAULTS
    assert "1000 faults" in raised.value.detail


async def test_the_loop_goes_on_while_a_list_is_read() -> None:
    text = "".join(f"compute;name {n};urn:{n};host-{n}.example.com\n" for n in range(10_000))
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(0.001)
            longest = max(longest, loop.time() - before)

    ticking = asyncio.create_task(tick())
    assert (await read(text)).rows == 10_000
    ticking.cancel()
    assert longest > 0


async def test_what_is_too_large_is_not_kept() -> None:
    with pytest.raises(HTTPException) as raised:
        async with lists.received(whole(b"x" * 11), most_bytes=10):
            pass
    assert raised.value.status_code == 413


async def test_lists_are_compared_without_changing_anything(room: Room) -> None:
    changed = write_line(room.resources["nas"]).replace("nas;", "NAS;", 1)
    answer = await room.send(changed + "compute;new;urn:new;\n", dry_run="true")
    assert answer.status_code == 200
    told = answer.json()
    assert [told[name] for name in COUNTS] == [1, 1, 0, 1]
    assert (told["dry_run"], told["import_id"], told["in_use_total"], told["in_use"]) == (True, None, 0, [])
    assert (room.broker.taken, room.written) == ([], [])


async def test_a_dry_run_names_what_would_go_although_it_is_used(room: Room) -> None:
    told = (await room.send("compute;new;urn:new;\n", dry_run="true")).json()
    assert [told[name] for name in COUNTS] == [1, 0, 0, 2]
    assert told["in_use_total"] == 1
    [used] = told["in_use"]
    assert (used["urn_id"], used["urn"], [c["name"] for c in used["connectors"]]) == (
        "nas",
        "urn:nas",
        ["files", "vault"],
    )


async def test_a_list_is_sent_in_parts_and_then_applied(room: Room) -> None:
    text = "".join(f"compute;;urn:{n};\n" for n in range(700)) + "compute;;urn:nas;\n"
    answer = await room.send(text)
    assert answer.status_code == 200
    *parts, apply = room.broker.taken
    assert [type(c) for c in room.broker.taken] == [StageImport, StageImport, ApplyImport]
    assert [(p.part, len(p.rows)) for p in parts] == [(0, 500), (1, 201)]
    assert (apply.parts, apply.rows) == (2, 701)
    assert {c.import_id for c in room.broker.taken} == {answer.json()["import_id"]}
    assert len(set(room.broker.ids)) == 3
    assert {name: answer.json()[name] for name in COUNTS} == COUNTS
    [row] = room.written
    assert (row.entry.action, row.entry.subject.id, row.entry.details) == (
        "resources.import",
        "inv-1",
        {"rows": 701, "force": False},
    )
    assert (row.ending.outcome, row.ending.details) == ("completed", COUNTS)


async def test_what_connectors_use_goes_only_by_force(room: Room) -> None:
    refused = await room.send("compute;;urn:spare;\n")
    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (409, "resources_in_use")
    assert "nas (source files, store vault)" in problem["detail"]
    assert [f["field"] for f in problem["fields"]] == ["resources.nas"]
    assert room.broker.taken == []
    assert (await room.send("compute;;urn:spare;\n", force="true")).status_code == 200
    assert [type(c) for c in room.broker.taken] == [StageImport, ApplyImport]


async def test_an_empty_list_removes_all_only_by_force(room: Room) -> None:
    room.apps.clear()
    assert (await room.send("\n")).json()["code"] == "list_empty"
    assert (await room.send("\n", force="true")).status_code == 200
    room.count = 0
    assert (await room.send("")).status_code == 200


async def test_a_list_with_faults_sends_nothing(room: Room) -> None:
    answer = await room.send("Class;Name;URN;Hostname\ncompute;a;urn:nas;h\n")
    assert (answer.status_code, answer.json()["code"]) == (422, "list_invalid")
    assert answer.json()["fields"][0]["field"] == "lines.1"
    assert (room.broker.taken, room.written) == ([], [])


async def test_managed_inventories_take_no_list(room: Room) -> None:
    room.kind = "aws"
    answer = await room.send("compute;a;urn:nas;h\n")
    assert (answer.status_code, answer.json()["code"]) == (409, "inventory_managed")
    assert "of an aws inventory" in answer.json()["detail"]


async def test_a_body_that_is_too_large_is_refused(room: Room) -> None:
    answer = await room.send(b"x" * (LIMIT + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_readers_import_nothing(room: Room) -> None:
    room.who = room.who.model_copy(update={"roles": ()})
    answer = await room.send("compute;a;urn:nas;h\n")
    assert (answer.status_code, room.broker.taken) == (403, [])


async def test_lists_have_turns(room: Room) -> None:
    with room.imports.turn():
        busy = await room.send("compute;a;urn:nas;h\n")
    assert (busy.status_code, busy.json()["code"], busy.headers["retry-after"]) == (429, "imports_busy", "5")
    assert (await room.send("compute;a;urn:nas;h\n")).status_code == 200


async def test_the_list_of_an_inventory_is_handed_on(room: Room) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(room.app), base_url="http://gateway") as http:
        answer = await http.get(EXPORT)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv")
        assert answer.text == "".join(map(write_line, room.resources.values()))
        missing = await http.get(EXPORT.replace("inv-1", "nothing"))
    assert missing.status_code == 404
