"""What a consumer promises: handled before committed, in order per key, whatever comes, nothing lost."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
import pytest_asyncio
from chassis.messaging.retries import RetryPolicy
from chassis.persistence.revisions import SEEN_KEPT
from contracts.envelope import Envelope
from contracts.errors import Conflict, PermanentError, TemporaryError
from contracts.messages.catalog import CreateInventory, InventoryRemoved, RemoveInventory
from contracts.messages.outcomes import CommandOutcome
from contracts.topics import CATALOG_COMMANDS, CATALOG_EVENTS, OUTCOMES, dead_letters
from contracts.values import InventoryId, OrganizationId

from tests.support.environment import Corner
from tests.support.kafka import Wire, header, open_wire, to_envelope
from tests.support.service import running_service
from tests.support.waiting import eventually_async

GROUP = "cairn.probe"


@pytest_asyncio.fixture(loop_scope="session")
async def wire(fresh_corner: Corner) -> AsyncIterator[Wire]:
    async with open_wire(fresh_corner.settings()) as opened:
        await opened.ensure(CATALOG_COMMANDS, CATALOG_EVENTS, OUTCOMES)
        yield opened


def removed(key: str, organization: str = "org") -> InventoryRemoved:
    return InventoryRemoved(organization_id=OrganizationId(organization), inventory_id=InventoryId(key))


def creation(key: str, name: str = "name") -> CreateInventory:
    return CreateInventory(
        organization_id=OrganizationId("org"), inventory_id=InventoryId(key), name=name, type="self-managed"
    )


async def test_an_offset_is_committed_after_its_message_was_handled(wire: Wire) -> None:
    begun, gate = asyncio.Event(), asyncio.Event()

    async def handle(_: Envelope[InventoryRemoved]) -> None:
        begun.set()
        await gate.wait()

    async with running_service(wire.settings, {InventoryRemoved: handle}):
        await wire.publish(removed("a"))
        await asyncio.wait_for(begun.wait(), 10)
        assert sum((await wire.committed(GROUP, CATALOG_EVENTS)).values()) == 0
        gate.set()

        async def committed() -> bool:
            return sum((await wire.committed(GROUP, CATALOG_EVENTS)).values()) == 1

        await eventually_async(committed)


async def test_messages_of_a_key_come_in_order_and_one_at_a_time(wire: Wire) -> None:
    seen: dict[str, list[str]] = {"a": [], "b": [], "c": []}
    running: set[str] = set()
    overlaps: list[str] = []

    async def handle(envelope: Envelope[InventoryRemoved]) -> None:
        key, number = envelope.data.inventory_id, envelope.data.organization_id
        if key in running:
            overlaps.append(key)
        running.add(key)
        for _ in range(hash(number) % 5):
            await asyncio.sleep(0)
        running.discard(key)
        seen[key].append(number)

    async with running_service(wire.settings, {InventoryRemoved: handle}):
        for number in range(40):
            for key in seen:
                await wire.publish(removed(key, str(number)))
        await eventually_async(lambda: all(len(numbers) == 40 for numbers in seen.values()))
    assert overlaps == []
    assert all(numbers == [str(n) for n in range(40)] for numbers in seen.values())


async def test_equal_keys_on_two_topics_are_handled_one_at_a_time(wire: Wire) -> None:
    running, most, done = 0, 0, 0

    async def handle(_: Envelope[Any]) -> None:
        nonlocal running, most, done
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        done += 1

    async with running_service(wire.settings, {InventoryRemoved: handle, RemoveInventory: handle}):
        for _ in range(20):
            await wire.publish(removed("a"))
            await wire.publish(RemoveInventory(organization_id=OrganizationId("o"), inventory_id=InventoryId("a")))
        await eventually_async(lambda: done == 40)
    assert most == 1


async def test_a_slow_key_does_not_hold_up_another(wire: Wire) -> None:
    gate, handled = asyncio.Event(), set()

    async def handle(envelope: Envelope[InventoryRemoved]) -> None:
        if envelope.data.inventory_id == "slow":
            await gate.wait()
        handled.add(envelope.data.inventory_id)

    async with running_service(wire.settings, {InventoryRemoved: handle}):
        await wire.publish(removed("slow"))
        for key in "abcdefgh":
            await wire.publish(removed(key))
        await eventually_async(lambda: handled == set("abcdefgh"))
        gate.set()
        await eventually_async(lambda: "slow" in handled)


async def test_what_waits_behind_a_stuck_message_comes_in_the_end(wire: Wire) -> None:
    gate, handled = asyncio.Event(), set()

    async def handle(envelope: Envelope[InventoryRemoved]) -> None:
        if envelope.data.inventory_id == "stuck":
            await gate.wait()
        handled.add(envelope.data.inventory_id)

    keys = {str(number) for number in range(SEEN_KEPT * 5)}
    async with running_service(wire.settings, {InventoryRemoved: handle}):
        await wire.publish(removed("stuck"))
        await asyncio.gather(*(wire.publish(removed(key)) for key in keys))
        await eventually_async(lambda: len(handled) >= SEEN_KEPT * 2)
        assert len(handled) < len(keys)
        gate.set()
        await eventually_async(lambda: handled == keys | {"stuck"})


async def test_those_who_wait_for_a_message_leave_it_a_place(wire: Wire, fresh_corner: Corner) -> None:
    come: set[str] = set()

    async def handle(envelope: Envelope[InventoryRemoved]) -> None:
        if envelope.data.inventory_id != "awaited" and "awaited" not in come:
            raise TemporaryError("not_yet", "It waits for another.")
        come.add(envelope.data.inventory_id)

    patient = RetryPolicy(longest_pause_seconds=0.2, patience_seconds=600)
    async with running_service(fresh_corner.settings(handlers_at_once=2), {InventoryRemoved: handle}, policy=patient):
        for key in ("a", "b", "c", "d", "awaited"):
            await wire.publish(removed(key))
        await eventually_async(lambda: come == {"a", "b", "c", "d", "awaited"})


GOOD = [
    ("ce_id", b"1"),
    ("ce_source", b"/test"),
    ("ce_specversion", b"1.0"),
    ("ce_type", InventoryRemoved.TYPE.encode()),
]
MALFORMED = {
    "no headers": ([], b'{"organization_id": "o", "inventory_id": "i"}', "attributes are missing"),
    "headers not UTF-8": ([*GOOD, ("odd", b"\xff\xfe")], b"{}", "not UTF-8"),
    "name of a header not UTF-8": ([*GOOD, ("odd \udcff\udcfe", b"\xff"), ("odd", None)], b"{}", "name of a header"),
    "large headers": ([*GOOD[:3], ("x", b"x" * 400_000), ("y" * 400_000, b"")], b"{}", "attributes are missing: type"),
    "null header": ([("nothing", None)], b"{}", "attributes are missing"),
    "bad JSON": (GOOD, b'{"organization_id": ', "does not fit InventoryRemoved"),
    "wrong data": (GOOD, b'{"organization_id": "o", "inventory_id": {"secret": "canary"}}', "inventory_id"),
    "no data": (GOOD, b"", "does not fit"),
    "null value": (GOOD, None, "does not fit"),
    "NUL": (GOOD, b'{"organization_id": "o", "inventory_id": "\\u0000"}', "NUL"),
    "bad time": ([*GOOD, ("ce_time", b"yesterday")], b'{"organization_id": "o", "inventory_id": "i"}', "time"),
    "other version": ([*GOOD[:2], ("ce_specversion", b"0.3"), GOOD[3]], b"{}", "version"),
    "structured, not JSON": ([("content-type", b"Application/CloudEvents+json")], b"nonsense", "not valid JSON"),
    "structured, deep": ([("content-type", b"application/cloudevents+json")], b"[" * 200_000, "not valid JSON"),
    "structured, a list": ([("content-type", b"application/cloudevents+json")], b"[]", "needs an object"),
}


@pytest.mark.parametrize("case", MALFORMED)
async def test_a_malformed_message_becomes_a_dead_letter_and_the_next_handled(wire: Wire, case: str) -> None:
    headers, value, reason = MALFORMED[case]
    handled = []

    async def handle(envelope: Envelope[InventoryRemoved]) -> None:
        handled.append(envelope.data.inventory_id)

    async with running_service(wire.settings, {InventoryRemoved: handle}):
        await wire.send(CATALOG_EVENTS, value, key=b"same \xff key", headers=headers)  # type: ignore[arg-type]
        await wire.send(
            CATALOG_EVENTS, b'{"organization_id": "o", "inventory_id": "next"}', key=b"same \xff key", headers=GOOD
        )
        await eventually_async(lambda: handled == ["next"])
    (letter,) = await wire.read(dead_letters(CATALOG_EVENTS))
    assert (letter.key, letter.value) == (b"same \xff key", value)
    assert list(letter.headers[: len(headers)]) == headers
    told = header(letter, "__connect.errors.exception.message") or ""
    assert reason in told
    assert "canary" not in told
    assert header(letter, "__connect.errors.topic") == wire.settings.on_kafka(CATALOG_EVENTS)
    assert header(letter, "__connect.errors.stage") == "decode"


async def test_a_structured_cloud_event_is_accepted(wire: Wire) -> None:
    handled: list[Envelope[InventoryRemoved]] = []

    async def handle(envelope: Envelope[InventoryRemoved]) -> None:
        handled.append(envelope)

    event = (
        b'{"specversion": "1.0", "id": "42", "source": "/elsewhere", "type": "%s", "time": "2026-11-23T08:00:00Z",'
        b' "data": {"organization_id": "o", "inventory_id": "i"}}' % InventoryRemoved.TYPE.encode()
    )
    async with running_service(wire.settings, {InventoryRemoved: handle}):
        headers = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
        await wire.send(CATALOG_EVENTS, event, key=b"i", headers=headers)
        await eventually_async(lambda: handled)
    assert (handled[0].id, handled[0].source, handled[0].data) == ("42", "/elsewhere", removed("i", "o"))


@pytest.mark.parametrize("codec", [None, "gzip", "zstd"])
async def test_header_of_any_name_stands_in_nobodys_way(wire: Wire, codec: str | None) -> None:
    """Names are read one by one where others that are sound lie in the same batch, and whatever the key is."""
    handled: list[str] = []

    async def handle(envelope: Envelope[InventoryRemoved]) -> None:
        handled.append(envelope.data.inventory_id)

    def body(name: str) -> bytes:
        return b'{"organization_id": "o", "inventory_id": "%b"}' % name.encode()

    async with running_service(wire.settings, {InventoryRemoved: handle}):
        for _ in range(3):
            odd = ("\udc80", b"odd")
            records = [(body("one"), GOOD), (body("bad"), [*GOOD, odd]), (body("two"), [("x", None), *GOOD])]
            await wire.send_batch(CATALOG_EVENTS, records, compression=codec)
        await eventually_async(lambda: sorted(handled) == ["one"] * 3 + ["two"] * 3)
    letters = await wire.read(dead_letters(CATALOG_EVENTS))
    assert [(r.key, r.value, r.headers[4]) for r in letters] == [(None, body("bad"), odd)] * 3


async def test_message_that_unfolds_to_more_than_kafka_takes_is_kept_without_its_content(wire: Wire) -> None:
    handled: list[str] = []

    async def handle(envelope: Envelope[InventoryRemoved]) -> None:
        handled.append(envelope.data.inventory_id)

    async with running_service(wire.settings, {InventoryRemoved: handle}):
        await wire.send_batch(CATALOG_EVENTS, [(b"x" * 5_000_000, GOOD)], compression="gzip")
        good = b'{"organization_id": "o", "inventory_id": "next"}'
        await wire.send_batch(CATALOG_EVENTS, [(good, GOOD)])
        await eventually_async(lambda: handled == ["next"])
    (letter,) = await wire.read(dead_letters(CATALOG_EVENTS))
    assert letter.value is None
    assert header(letter, "__connect.errors.offset") == "0"
    assert "too large" in (header(letter, "__connect.errors.left.out") or "")


async def test_message_with_neither_key_nor_value_becomes_a_dead_letter(wire: Wire) -> None:
    handled: list[str] = []

    async def handle(envelope: Envelope[InventoryRemoved]) -> None:
        handled.append(envelope.data.inventory_id)

    async with running_service(wire.settings, {InventoryRemoved: handle}):
        await wire.send_batch(CATALOG_EVENTS, [(None, GOOD), (None, [])])
        await wire.send_batch(CATALOG_EVENTS, [(b'{"organization_id": "o", "inventory_id": "next"}', GOOD)])
        await eventually_async(lambda: handled == ["next"])
    letters = await wire.read(dead_letters(CATALOG_EVENTS))
    assert [(r.key, r.value) for r in letters] == [(None, None)] * 2


async def test_the_largest_message_that_kafka_takes_can_become_a_dead_letter(wire: Wire) -> None:
    async def handle(_: Envelope[InventoryRemoved]) -> None:
        raise AssertionError("it is malformed")

    value = b"x" * 1_048_000
    async with (
        running_service(wire.settings, {InventoryRemoved: handle}),
        wire.listening(dead_letters(CATALOG_EVENTS)) as ear,
    ):
        await wire.send(CATALOG_EVENTS, value, key=b"k", headers=GOOD)
        (letter,) = await ear.count(1)
    assert letter.value == value


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_messages_that_others_compressed_are_read(wire: Wire, codec: str) -> None:
    handled = []

    async def handle(envelope: Envelope[InventoryRemoved]) -> None:
        handled.append(envelope.data.inventory_id)

    async with running_service(wire.settings, {InventoryRemoved: handle}):
        body = b'{"organization_id": "o", "inventory_id": "%s"}' % (b"i" * 10_000)
        await wire.send(CATALOG_EVENTS, body, key=b"k", headers=GOOD, compression=codec)
        await eventually_async(lambda: handled == ["i" * 10_000])


async def test_unknown_types_and_types_without_a_handler_are_skipped(wire: Wire) -> None:
    handled = []

    async def handle(envelope: Envelope[InventoryRemoved]) -> None:
        handled.append(envelope.data.inventory_id)

    unknown = [*GOOD[:3], ("ce_type", b"com.example.something.v7")]
    async with running_service(wire.settings, {InventoryRemoved: handle, CreateInventory: handle}):
        await wire.send(CATALOG_EVENTS, b"\x00\x01 not even JSON", key=b"k", headers=unknown)
        await wire.publish(RemoveInventory(organization_id=OrganizationId("o"), inventory_id=InventoryId("x")))
        await wire.publish(removed("last"))
        await eventually_async(lambda: handled == ["last"])

        async def committed() -> bool:
            commands = await wire.committed(GROUP, CATALOG_COMMANDS)
            events = await wire.committed(GROUP, CATALOG_EVENTS)
            return sum(commands.values()) == 1 and sum(events.values()) == 2

        await eventually_async(committed)
    assert await wire.read(dead_letters(CATALOG_EVENTS)) == []


async def test_temporary_errors_are_retried_with_growing_pauses_until_it_works(wire: Wire) -> None:
    tries: list[float] = []

    async def handle(_: Envelope[InventoryRemoved]) -> None:
        tries.append(asyncio.get_running_loop().time())
        if len(tries) < 5:
            raise TemporaryError("not_yet", "Not yet.", retry_after_seconds=0)

    async with running_service(wire.settings, {InventoryRemoved: handle}):
        await wire.publish(removed("a"))
        await eventually_async(lambda: len(tries) == 5)
    pauses = [later - sooner for sooner, later in pairwise(tries)]
    assert pauses[-1] > pauses[0] * 3
    assert await wire.read(dead_letters(CATALOG_EVENTS)) == []


async def test_temporary_errors_without_end_park_the_message(wire: Wire) -> None:
    async def handle(envelope: Envelope[InventoryRemoved]) -> None:
        if envelope.data.inventory_id == "stuck":
            raise TemporaryError("not_yet", "It never works.")
        handled.append(envelope.data.inventory_id)

    handled: list[str] = []
    async with (
        running_service(wire.settings, {InventoryRemoved: handle}),
        wire.listening(dead_letters(CATALOG_EVENTS)) as ear,
    ):
        await wire.publish(removed("stuck"))
        await wire.publish(removed("next"))
        (letter,) = await ear.count(1)
        await eventually_async(lambda: handled == ["next"])
    assert header(letter, "__connect.errors.stage") == "handle"
    assert header(letter, "__connect.errors.exception.message") == "not_yet: It never works."


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermanentError("impossible", "It cannot be."), "impossible: It cannot be."),
        (RuntimeError("secret-canary"), "unexpected RuntimeError"),
    ],
)
async def test_an_event_that_cannot_be_handled_becomes_a_dead_letter_with_the_reason(
    wire: Wire, error: Exception, reason: str
) -> None:
    async def handle(_: Envelope[InventoryRemoved]) -> None:
        raise error

    async with (
        running_service(wire.settings, {InventoryRemoved: handle}),
        wire.listening(dead_letters(CATALOG_EVENTS)) as ear,
    ):
        await wire.publish(removed("a"))
        (letter,) = await ear.count(1)
    assert header(letter, "__connect.errors.exception.message") == reason
    assert not any(b"canary" in value for _, value in letter.headers)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PermanentError("impossible", "It cannot be."), "impossible"),
        (RuntimeError("secret-canary"), "internal_error"),
    ],
)
async def test_a_command_that_cannot_be_carried_out_is_refused(wire: Wire, error: Exception, code: str) -> None:
    async def handle(_: Envelope[CreateInventory]) -> None:
        raise error

    async with running_service(wire.settings, {CreateInventory: handle}), wire.listening(OUTCOMES) as ear:
        sent = await wire.publish(creation("a"))
        outcome = await ear.message(CommandOutcome)
    assert outcome.data.command_id == sent.id
    assert outcome.correlation_id == sent.correlation_id
    assert outcome.data.problem is not None
    assert outcome.data.problem.code == code
    assert "canary" not in str(outcome)


async def test_a_command_that_could_not_be_carried_out_for_long_is_rejected_and_no_dead_letter(wire: Wire) -> None:
    works = False

    async def handle(_: Envelope[CreateInventory]) -> None:
        if not works:
            raise TemporaryError("not_yet", "It never works.")

    async with running_service(wire.settings, {CreateInventory: handle}), wire.listening(OUTCOMES) as ear:
        command = await wire.publish(creation("a"))
        first = await ear.message(CommandOutcome)
        works = True
        await wire.publish(command)
        await ear.count(2)
    assert first.data.problem is not None
    assert (first.data.problem.code, first.data.problem.kind) == ("not_yet", "unavailable")
    assert to_envelope(ear.heard[1]).data == first.data
    assert await wire.read(dead_letters(CATALOG_COMMANDS)) == []


@pytest.mark.parametrize(
    ("value", "organization"),
    [
        (b'{"organization_id": "o", "inventory_id": {"secret": "canary"}}', "o"),
        (b'{"organization_id": "o", "name": "\\u0000"}', "o"),
        (b'{"organization_id": ["o"]}', ""),
        (b"nonsense", ""),
        (None, ""),
    ],
)
async def test_a_malformed_command_is_rejected_and_kept(wire: Wire, value: bytes | None, organization: str) -> None:
    async def handle(_: Envelope[CreateInventory]) -> None:
        raise AssertionError("it is malformed")

    async with running_service(wire.settings, {CreateInventory: handle}), wire.listening(OUTCOMES) as ear:
        headers = [*GOOD[:3], ("ce_type", CreateInventory.TYPE.encode()), ("ce_correlationid", b"c")]
        await wire.send(CATALOG_COMMANDS, value, key=b"k", headers=headers)
        outcome = await ear.message(CommandOutcome)
    assert (outcome.data.command_id, outcome.data.organization_id, outcome.correlation_id) == ("1", organization, "c")
    assert outcome.data.problem is not None
    assert outcome.data.problem.code == "message_malformed"
    assert "canary" not in str(outcome)
    (letter,) = await wire.read(dead_letters(CATALOG_COMMANDS))
    assert letter.value == value


async def test_a_refused_command_that_comes_again_after_a_kill_is_refused_again(
    wire: Wire, fresh_corner: Corner
) -> None:
    """What made it impossible may be gone by then; its sender got a rejection, and may have acted on that."""
    tries: list[str] = []

    async def handle(envelope: Envelope[CreateInventory]) -> None:
        tries.append(envelope.id)
        if len(tries) == 1:
            raise Conflict("taken", "The name is taken.")

    async with wire.listening(OUTCOMES) as ear:
        settings = fresh_corner.settings(session_timeout_seconds=6)
        command = await wire.publish(creation("a"))
        async with running_service(settings, {CreateInventory: handle}):
            first = await ear.message(CommandOutcome)
        # As if the process had died before it could commit.
        await wire.rewind(GROUP, CATALOG_COMMANDS)
        async with running_service(settings, {CreateInventory: handle}):
            await ear.count(2)
    assert [e.id for e in map(to_envelope, ear.heard)] == [first.id, first.id]
    assert to_envelope(ear.heard[1]).data == first.data
    assert tries == [command.id]


async def test_a_refused_command_that_its_sender_sends_again_is_refused_again(wire: Wire) -> None:
    tries: list[str] = []

    async def handle(envelope: Envelope[CreateInventory]) -> None:
        tries.append(envelope.source)
        if len(tries) == 1:
            raise Conflict("taken", "The name is taken.")

    async with running_service(wire.settings, {CreateInventory: handle}), wire.listening(OUTCOMES) as ear:
        command = await wire.publish(creation("a"))
        await ear.count(1)
        await wire.publish(command)
        await ear.count(2)
        await wire.publish(command.model_copy(update={"source": "/somebody/else"}))
        await eventually_async(lambda: len(tries) == 2)
    first, second = map(to_envelope, ear.heard[:2])
    assert (first.id, first.data) == (second.id, second.data)
    assert tries == [command.source, "/somebody/else"]


async def test_partitions_move_only_after_what_is_under_way_has_ended(wire: Wire, fresh_corner: Corner) -> None:
    """A second member joins under load: no key is ever handled by both at once, and nothing is lost."""
    running: dict[str, int] = {}
    overlaps: list[str] = []
    handled: dict[str, set[str]] = {"one": set(), "two": set()}

    def handler(member: str) -> Any:
        async def handle(envelope: Envelope[InventoryRemoved]) -> None:
            key = envelope.data.inventory_id
            running[key] = running.get(key, 0) + 1
            try:
                if running[key] > 1:
                    overlaps.append(key)
                await asyncio.sleep(0.02)
                handled[member].add(envelope.id)
            finally:
                running[key] -= 1

        return handle

    sent: set[str] = set()

    async def publish() -> None:
        while not (handled["two"] and len(sent) > 200):
            sent.add((await wire.publish(removed(f"key-{len(sent) % 12}"))).id)

    other = fresh_corner.settings(instance="the-other")
    async with running_service(wire.settings, {InventoryRemoved: handler("one")}):
        publishing = asyncio.create_task(publish())
        await eventually_async(lambda: len(handled["one"]) > 20)
        async with running_service(other, {InventoryRemoved: handler("two")}):
            await asyncio.wait_for(publishing, 30)
            await eventually_async(lambda: handled["one"] | handled["two"] == sent, 20)
    assert overlaps == []
