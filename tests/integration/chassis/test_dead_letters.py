"""Dead letters can be listed and sent again, as they were."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from chassis.errors import Unavailable
from chassis.messaging.dead_letters import dead_letter_topics, list_dead_letters, resend
from chassis.messaging.publisher import open_publisher
from contracts.envelope import Envelope, Headers
from contracts.errors import NotFound, PermanentError
from contracts.messages.catalog import InventoryRemoved
from contracts.topics import CATALOG_COMMANDS, CATALOG_EVENTS, OUTCOMES, dead_letters
from contracts.values import InventoryId, OrganizationId

from tests.support.environment import Corner
from tests.support.kafka import Raw, Wire, open_wire
from tests.support.processes import running_module
from tests.support.service import running_service
from tests.support.waiting import eventually_async


@pytest_asyncio.fixture(loop_scope="session")
async def wire(fresh_corner: Corner) -> AsyncIterator[Wire]:
    async with open_wire(fresh_corner.settings()) as opened:
        await opened.ensure(CATALOG_COMMANDS, CATALOG_EVENTS, OUTCOMES)
        yield opened


def removed(key: str) -> InventoryRemoved:
    return InventoryRemoved(organization_id=OrganizationId("org"), inventory_id=InventoryId(key))


async def refuse(_: Envelope[InventoryRemoved]) -> None:
    raise PermanentError("impossible", "It cannot be.")


async def give_up(wire: Wire, *keys: str) -> None:
    """Make dead letters of messages that a handler could not take, and of one that is malformed."""
    async with (
        running_service(wire.settings, {InventoryRemoved: refuse}),
        wire.listening(dead_letters(CATALOG_EVENTS)) as ear,
    ):
        for key in keys:
            await wire.publish(removed(key))
        odd: Headers = [
            ("odd\udcff\udc80", b"name"),
            ("odd", b"\xff"),
            ("odd", b"twice"),
            ("empty", b""),
            ("ce_id", b"1"),
        ]
        odd += [("__connect.errors.topic", b"of another"), ("__connect.errors.stage", b"elsewhere")]
        await wire.send(CATALOG_EVENTS, b"\x00\xff", key=b"\xfe", headers=odd)
        await ear.count(len(keys) + 1)


def essence(record: Raw) -> tuple[object, ...]:
    return (record.key, record.value, tuple(record.headers))


async def test_dead_letters_are_listed_with_their_reasons(wire: Wire) -> None:
    await give_up(wire, "a", "b")
    listed = await list_dead_letters(wire.settings, CATALOG_EVENTS, limit=10)
    assert {(m.key, m.type, m.stage, m.reason) for m in listed if m.stage == "handle"} == {
        ("a", InventoryRemoved.TYPE, "handle", "impossible: It cannot be."),
        ("b", InventoryRemoved.TYPE, "handle", "impossible: It cannot be."),
    }
    assert [m.reason for m in listed if m.stage == "decode"] == ["the name of a header is not UTF-8"]
    assert {m.group for m in listed} == {wire.settings.on_kafka("cairn.probe")}
    assert len(await list_dead_letters(wire.settings, CATALOG_EVENTS, limit=2)) == 2
    assert await list_dead_letters(wire.settings, CATALOG_COMMANDS, limit=2) == []
    assert await dead_letter_topics(wire.settings) == [CATALOG_COMMANDS, CATALOG_EVENTS, OUTCOMES]


async def test_what_is_sent_again_is_the_same_byte_for_byte(wire: Wire) -> None:
    await give_up(wire, "a", "b")
    first = await wire.read(CATALOG_EVENTS)
    async with open_publisher(wire.settings) as publisher, wire.listening(CATALOG_EVENTS) as ear:
        assert await resend(wire.settings, publisher, CATALOG_EVENTS, limit=10) == 3
        again = await ear.count(3)
    assert sorted(map(essence, again), key=str) == sorted(map(essence, first), key=str)


async def test_what_was_sent_again_is_done_with_and_handled_if_it_can_be(wire: Wire) -> None:
    await give_up(wire, "a")
    handled: list[str] = []

    async def accept(envelope: Envelope[InventoryRemoved]) -> None:
        handled.append(envelope.data.inventory_id)

    async with open_publisher(wire.settings) as publisher, running_service(wire.settings, {InventoryRemoved: accept}):
        assert await resend(wire.settings, publisher, CATALOG_EVENTS, limit=1) == 1
        assert await resend(wire.settings, publisher, CATALOG_EVENTS, limit=10) == 1
        assert await resend(wire.settings, publisher, CATALOG_EVENTS, limit=0) == 0
        await eventually_async(lambda: handled == ["a"])

        async def back_again() -> bool:
            return [m.key for m in await list_dead_letters(wire.settings, CATALOG_EVENTS, limit=10)] == ["\\xfe"]

        await eventually_async(back_again)


async def test_what_could_not_be_sent_again_stays_a_dead_letter(wire: Wire) -> None:
    class Broken:
        async def send(self, envelope: object) -> None:
            raise AssertionError

        async def send_raw(self, topic: str, *, key: bytes | None, value: bytes | None, headers: Headers) -> None:
            raise Unavailable("kafka_unavailable", "Not now.")

    await give_up(wire, "a")
    with pytest.raises(Unavailable):
        await resend(wire.settings, Broken(), CATALOG_EVENTS, limit=10)  # type: ignore[arg-type]
    assert len(await list_dead_letters(wire.settings, CATALOG_EVENTS, limit=10)) == 2


async def test_what_was_too_large_to_be_kept_whole_stays_a_dead_letter(wire: Wire) -> None:
    async with (
        running_service(wire.settings, {InventoryRemoved: refuse}),
        wire.listening(dead_letters(CATALOG_EVENTS)) as ear,
    ):
        await wire.send_batch(CATALOG_EVENTS, [(b"x" * 5_000_000, [])], compression="gzip")
        await ear.count(1)
    async with open_publisher(wire.settings) as publisher:
        assert await resend(wire.settings, publisher, CATALOG_EVENTS, limit=10) == 0
    [listed] = await list_dead_letters(wire.settings, CATALOG_EVENTS, limit=10)
    assert "attributes are missing" in listed.reason
    assert len(await wire.read(CATALOG_EVENTS)) == 1


async def test_an_unknown_topic_is_said_to_be_unknown(wire: Wire) -> None:
    with pytest.raises(NotFound):
        await list_dead_letters(wire.settings, "cairn.nothing", limit=1)


async def test_the_command_line_lists_and_resends(wire: Wire, fresh_corner: Corner, tmp_path: Path) -> None:
    await give_up(wire, "a")
    environment = fresh_corner.variables()

    async def run(*arguments: str) -> tuple[int, list[dict[str, object]]]:
        log = tmp_path / arguments[1]
        with running_module("tests.support.echo", *arguments, environment=environment, log=log) as process:
            code = await process.ended()
        return code, [json.loads(line) for line in process.output().splitlines()]

    code, lines = await run("dead-letters", "list")
    assert (code, {line["key"] for line in lines}) == (0, {"a", "\\xfe"})
    # The name of older versions.
    code, lines = await run("parked", "resend", "--topic", CATALOG_EVENTS, "--limit", "1")
    assert (code, lines[-1]["messages"]) == (0, 1)
    assert len(await list_dead_letters(wire.settings, CATALOG_EVENTS, limit=10)) == 1
