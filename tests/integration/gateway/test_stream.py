"""The live stream over HTTP, from real Kafka: what is told, to whom, and how a client goes on after a cut."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import jsonschema
import pytest
import pytest_asyncio
from chassis.ids import new_id, utc_now
from contracts.messages.connector.task_events import LogLine, TaskLogged
from contracts.messages.scheduler import JobChanged
from contracts.values import JobId, OrganizationId, RunId

from tests.integration.gateway.client import Client, Json, log_in
from tests.integration.gateway.conftest import Platform, free_port
from tests.integration.gateway.members import accounts_of, add_organization, as_member, badge_for
from tests.support.kafka import Wire, open_wire
from tests.support.processes import Running, running_module
from tests.support.waiting import eventually_async

SECONDS = 20.0
LISTENERS = 100
EVENTS = 150
"""Of 60 KB each: more than the kernel takes for a client that does not read."""


@dataclass
class Heard:
    """One stream, read in the background as a browser reads it."""

    events: list[Json] = field(default_factory=list)
    last_id: str = ""
    comments: int = 0
    is_over: bool = False
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, answer: httpx.Response) -> None:
        """Take events until the stream ends."""
        data = ""
        try:
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    self.last_id = value
                elif name == "data":
                    data = value
                elif line.startswith(":"):
                    self.comments += 1
                elif not line and data:
                    self.events.append(json.loads(data))
                    data = ""
                self._changed.set()
        finally:
            self.is_over = True
            self._changed.set()

    async def until(self, done: Callable[["Heard"], Any]) -> list[Json]:
        """The events, once `done` says that they are all."""
        async with asyncio.timeout(SECONDS):
            while not done(self):
                self._changed.clear()
                await self._changed.wait()
        return self.events

    def of(self, kind: str) -> list[Json]:
        """Those of one kind."""
        return [each for each in self.events if each["kind"] == kind]


@asynccontextmanager
async def listening(
    api: Client, *, last_id: str = "", http: httpx.AsyncClient | None = None, **query: Any
) -> AsyncIterator[Heard]:
    """An open stream, from when it has begun."""
    headers = {"last-event-id": last_id} if last_id else {}
    headers["authorization"] = api.http.headers["authorization"]
    heard = Heard()
    request = (http or api.http).stream("GET", "/api/v1/stream", params=query, headers=headers, timeout=SECONDS)
    async with request as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        reading = asyncio.create_task(heard.read(answer))
        try:
            await heard.until(lambda each: each.last_id)
            yield heard
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


@dataclass
class Gateway:
    """A gateway of its own beside the shared one, which may be stopped."""

    platform: Platform
    stack: ExitStack
    port: int
    running: Running | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        environment = self.platform.variables(
            "gateway", http_port=self.port, instance="second", stream_heartbeat_seconds=0.2, stream_rights_seconds=0.2
        )
        log = self.platform.folder / "second-gateway.log"
        self.running = self.stack.enter_context(running_module("gateway", "serve", environment=environment, log=log))

        async def answers() -> bool:
            async with httpx.AsyncClient(trust_env=False) as http:
                try:
                    return (await http.get(f"{self.url}/health/ready")).status_code == 200
                except httpx.TransportError:
                    return False

        await eventually_async(answers, 60)

    async def stop(self) -> float:
        """Ask it to stop; how many seconds that took."""
        assert self.running is not None
        began = time.monotonic()
        assert await asyncio.to_thread(self.running.stop) == 0
        return time.monotonic() - began


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared_gateway(platform: Platform) -> AsyncIterator[Gateway]:
    with ExitStack() as stack:
        yield Gateway(platform, stack, free_port())


@pytest_asyncio.fixture(loop_scope="session")
async def gateway(shared_gateway: Gateway) -> Gateway:
    if shared_gateway.running is None or shared_gateway.running.process.poll() is not None:
        await shared_gateway.start()
    return shared_gateway


@pytest_asyncio.fixture(loop_scope="session")
async def wire(platform: Platform) -> AsyncIterator[Wire]:
    async with open_wire(platform.corner.settings()) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def second(gateway: Gateway, platform: Platform) -> AsyncIterator[Client]:
    async with log_in(gateway.url, platform.credentials) as client:
        yield client


def job(api: Client, name: str, **changes: Any) -> JobChanged:
    return JobChanged(
        organization_id=OrganizationId(changes.pop("organization_id", api.organization_id)), job_id=JobId(name),
        run_id=RunId("run"), status="running", task_type="backup", attempt=1, at=utc_now(), **changes,
    )  # fmt: skip


def names(heard: Heard) -> list[str]:
    return [each["job_id"] for each in heard.of("job")]


@pytest.fixture(scope="module")
def schema(platform: Platform) -> Json:
    """What the document says of the data of an event."""
    document = httpx.get(f"{platform.url}/api/v1/openapi.json", trust_env=False).json()
    answer = document["paths"]["/api/v1/stream"]["get"]["responses"]["200"]
    return {**answer["content"]["text/event-stream"]["schema"]["contentSchema"], "components": document["components"]}


async def test_what_happens_is_told_with_what_it_is_about(api: Client, schema: Json) -> None:
    async with listening(api) as heard:
        inventory = await api.inventory("told")
        resource = await api.resource(inventory, "urn:told")

        await heard.until(lambda each: each.of("resource"))
        assert [(e["change"], e["inventory_id"], e["name"]) for e in heard.of("inventory")] == [
            ("created", inventory, "told")
        ]
        assert heard.of("resource")[0]["resource"]["urn_id"] == resource
        for event in heard.events:
            jsonschema.validate(event, schema)


async def test_a_connection_test_is_told_step_by_step(api: Client, platform: Platform, schema: Json) -> None:
    root = platform.files / "stepwise"
    root.mkdir()
    resource = await api.resource(await api.inventory("stepwise"), "urn:stepwise")
    async with listening(api, id=resource) as heard:
        made = await api.connector("store", resource, {"root": str(root), "passphrase": "open sesame"})
        [connector] = await heard.until(lambda each: each.of("connector"))
        assert connector["connector"]["name"] == made["name"]
        assert "sesame" not in json.dumps(heard.events)
        jsonschema.validate(connector, schema)

    async with listening(api, id=made["id"], kind="connection-test") as heard:
        report = await api.post(f"/connectors/{made['id']}/test")
        *steps, tested = await heard.until(lambda each: each.events and each.events[-1]["change"] == "tested")

    for event in heard.events:
        jsonschema.validate(event, schema)
    assert [step["check"] for step in steps] == report["checks"] == tested["report"]["checks"]
    assert [step["number"] for step in steps] == list(range(1, len(steps) + 1))


async def test_another_organization_hears_nothing(api: Client, wire: Wire, platform: Platform) -> None:
    async with accounts_of(platform.corner.settings()) as accounts:
        other = await add_organization(accounts, None)
    stranger = await as_member(platform, api, "owner", org=other)
    try:
        async with listening(stranger) as theirs, listening(api) as ours:
            await wire.publish(job(api, "ours"))
            await wire.publish(job(api, "theirs", organization_id=other))

            await theirs.until(lambda each: each.events)
            await ours.until(lambda each: each.events)
            assert (names(theirs), names(ours)) == (["theirs"], ["ours"])
    finally:
        await stranger.http.aclose()


async def test_who_may_not_look_may_not_listen(api: Client, platform: Platform) -> None:
    nobody = await as_member(platform, api)
    try:
        assert (await nobody.problem("GET", "/stream"))["code"] == "forbidden"
    finally:
        await nobody.http.aclose()
    bare = await httpx.AsyncClient(base_url=platform.url, trust_env=False).get("/api/v1/stream")
    assert bare.status_code == 401


@pytest.mark.parametrize("last_id", ["garbage", "AQgAAAAB", "0", "x" * 5000])
async def test_an_id_from_elsewhere_is_refused_in_words(api: Client, last_id: str) -> None:
    problem = await api.problem("GET", "/stream", headers={"last-event-id": last_id})

    assert problem["status"] == 400
    assert "Last-Event-ID" in problem["detail"] or problem["fields"]


async def test_an_unknown_kind_is_refused(api: Client) -> None:
    assert (await api.problem("GET", "/stream", params={"kind": "nonsense"}))["status"] == 400


async def test_a_client_goes_on_where_it_was_although_the_gateway_was_away(
    second: Client, gateway: Gateway, wire: Wire
) -> None:
    mine = new_id()
    async with listening(second) as heard:
        for number in range(5):
            await wire.publish(job(second, f"{mine} {number}"))
        await heard.until(lambda each: len(each.of("job")) == 5)
        cut_off_at = heard.last_id
    await gateway.stop()
    for number in range(5, 300):
        await wire.publish(job(second, f"{mine} {number}"))
    await gateway.start()

    async with listening(second, last_id=cut_off_at) as again:
        for number in range(300, 320):
            await wire.publish(job(second, f"{mine} {number}"))
        await again.until(lambda each: len(each.of("job")) >= 315)

    assert not again.of("gap")
    assert sorted(names(again), key=lambda name: int(name.split()[1])) == [f"{mine} {n}" for n in range(5, 320)]


async def test_a_client_may_go_on_at_another_gateway(second: Client, api: Client, wire: Wire) -> None:
    async with listening(api) as heard:
        await wire.publish(job(api, "here"))
        await heard.until(lambda each: each.events)
    await wire.publish(job(api, "there"))

    async with listening(second, last_id=heard.last_id) as again:
        await again.until(lambda each: each.events)
        assert names(again) == ["there"]


async def test_a_silent_stream_says_that_it_lives_and_moves_on(second: Client, wire: Wire) -> None:
    async with listening(second, kind="inventory") as heard:
        before = heard.last_id
        await wire.publish(job(second, "not chosen"))

        await heard.until(lambda each: each.last_id != before)
        assert heard.comments
        assert heard.events == []


async def test_a_stream_ends_soon_after_its_badge(gateway: Gateway, platform: Platform, second: Client) -> None:
    account = (await second.get("/account/me"))["id"]
    badge = badge_for(platform.folder / "badge.key", account, OrganizationId(second.organization_id), ttl_seconds=2)
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as http:
        http.headers["authorization"] = f"Bearer {badge}"
        async with listening(Client(http, second.organization_id)) as heard:
            *_, end = await heard.until(lambda each: each.is_over)

    assert (end["kind"], end["code"]) == ("end", "token_invalid")


async def test_a_stream_ends_soon_after_its_rights(gateway: Gateway, platform: Platform, second: Client) -> None:
    member = await as_member(platform, second, "auditor")
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as http:
        http.headers["authorization"] = member.http.headers["authorization"]
        async with listening(Client(http, second.organization_id)) as heard:
            await withdraw_all(platform, second, member)
            # What others did in the organization meanwhile is told, too.
            *_, end = await heard.until(lambda each: each.is_over)
    await member.http.aclose()

    assert (end["kind"], end["code"]) == ("end", "forbidden")


async def withdraw_all(platform: Platform, owner: Client, member: Client) -> None:
    account = (await member.get("/account/me"))["id"]
    org = OrganizationId(owner.organization_id)
    async with accounts_of(platform.corner.settings()) as accounts:
        grants = (await accounts.grants.find(org, {"account_id": account})).items
        for grant in grants:
            await accounts.grants.save(await accounts.grants.load(org, grant.id), None)
    assert grants


async def test_a_gateway_with_many_listeners_stops_at_once(second: Client, gateway: Gateway, wire: Wire) -> None:
    limits = httpx.Limits(max_connections=LISTENERS)
    async with (
        httpx.AsyncClient(base_url=gateway.url, trust_env=False, limits=limits) as http,
        AsyncExitStack() as stack,
    ):
        heard = [await stack.enter_async_context(listening(second, http=http)) for _ in range(LISTENERS)]
        await wire.publish(job(second, "before the end"))
        for each in heard:
            await each.until(lambda one: one.events)

        seconds = await gateway.stop()

        for each in heard:
            await each.until(lambda one: one.is_over)
            assert [e["kind"] for e in each.events] == ["job", "end"]
            assert each.events[-1]["code"] == "server_stopping"
    assert seconds < 5


async def test_who_reads_too_slowly_is_told_and_loses_nothing(second: Client, gateway: Gateway, wire: Wire) -> None:
    lines = tuple(LogLine(at=utc_now(), level="info", text="x" * 2000) for _ in range(30))
    facts = {"organization_id": OrganizationId(second.organization_id), "job_id": JobId(new_id()), "at": utc_now()}
    # The kernel takes what fits its buffers, however slowly a client reads.
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
    narrow.connect(("127.0.0.1", gateway.port))
    reader, writer = await asyncio.open_connection(sock=narrow)
    head = f"GET /api/v1/stream HTTP/1.1\r\nhost: x\r\nauthorization: {second.http.headers['authorization']}\r\n\r\n"
    writer.write(head.encode())
    await reader.readuntil(b"id: ")

    async with listening(second, id=facts["job_id"]) as quick:
        for number in range(1, EVENTS + 1):
            await wire.publish(TaskLogged(**facts, attempt=1, sequence=number, lines=lines))
        await quick.until(lambda each: len(each.events) == EVENTS)
    told = bytearray()
    async with asyncio.timeout(SECONDS):
        while not told.endswith(b"0\r\n\r\n"):
            told += await reader.read(2**16)
    writer.close()

    text = told.decode()
    assert '"code":"too_slow"' in text
    last_id = text.rpartition("\nid: ")[2].split()[0]
    heard = text.count("event: log")
    async with listening(second, last_id=last_id, id=facts["job_id"]) as again:
        await again.until(lambda each: each.events and each.events[-1]["sequence"] == EVENTS)
        assert [each["sequence"] for each in again.events] == list(range(heard + 1, EVENTS + 1))


async def test_lines_of_a_log_and_filters_by_job(api: Client, wire: Wire) -> None:
    line = LogLine(at=utc_now(), level="info", text="a line")
    async with listening(api, kind="log", id="mine") as heard:
        for name in ("other", "mine"):
            facts = {"organization_id": OrganizationId(api.organization_id), "job_id": JobId(name), "at": utc_now()}
            await wire.publish(TaskLogged(**facts, attempt=1, sequence=1, lines=(line,)))

        [logged] = await heard.until(lambda each: each.events)
        assert (logged["job_id"], logged["lines"][0]["text"]) == ("mine", "a line")
