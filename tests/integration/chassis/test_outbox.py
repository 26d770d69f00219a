"""Messages leave documents at least once, and the documents stay as their writer left them."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from chassis.errors import Unavailable
from chassis.ids import utc_now
from chassis.persistence.aggregates import AlreadyHandled
from chassis.persistence.mongo import Database, open_database
from chassis.persistence.mongo_aggregates import MongoAggregates
from chassis.persistence.outbox import ABANDONED, GRACE, Outbox
from contracts.envelope import Envelope
from contracts.messages.base import Message
from contracts.messages.outcomes import CommandOutcome

from tests.contracts.aggregates_suite import ORG, Thing, command, event, keys_of
from tests.support.environment import Corner
from tests.support.notebook import Notebook

NOW_GRACE = timedelta(0)


@dataclass
class Process:
    """What one process of a service has: its aggregates, its outbox, its way to Kafka."""

    aggregates: MongoAggregates[Thing]
    outbox: Outbox
    kafka: Notebook

    def keys(self) -> list[str]:
        """Keys of the messages sent so far."""
        return [e.data.key for e in self.kafka.sent]

    async def document(self, key: str) -> dict[str, Any] | None:
        """The document as it is kept."""
        return await self.aggregates.collection.find_one({"_id": key})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(corner: Corner) -> AsyncIterator[Database]:
    async with open_database(corner.settings(), "outbox") as opened:
        yield opened


@pytest.fixture
def name() -> str:
    return f"things_{secrets.token_hex(4)}"


async def start(database: Database, name: str, kafka: Notebook | None = None) -> Process:
    kafka = kafka or Notebook()
    outbox = Outbox("test", database, kafka)
    await outbox.setup()
    aggregates = MongoAggregates(database[name], Thing, outbox, keys_of)
    await aggregates.setup()
    return Process(aggregates, outbox, kafka)


@pytest_asyncio.fixture(loop_scope="session")
async def process(database: Database, name: str) -> AsyncIterator[Process]:
    await database["outbox_marks"].delete_many({})
    yield await start(database, name)


async def save(process: Process, key: str, *events: str) -> None:
    aggregate = await process.aggregates.load(ORG, key)
    await process.aggregates.save(aggregate, Thing(id=key), events=[event(e) for e in events])
    await process.outbox.settle()


async def marks(database: Database) -> list[str]:
    return [m["_id"] async for m in database["outbox_marks"].find({})]


async def test_a_save_sends_and_leaves_no_mark(process: Process, database: Database) -> None:
    await save(process, "a", "e1", "e2")
    assert sorted(process.keys()) == ["e1", "e2"]
    assert await marks(database) == []


async def test_a_save_without_messages_needs_no_mark(process: Process, database: Database) -> None:
    await save(process, "a")
    assert await marks(database) == []
    assert process.keys() == []


@pytest.mark.parametrize("key", ["a", "with/slashes/1", "ü ☃"])
async def test_what_kafka_did_not_take_is_sent_by_the_sweep(process: Process, database: Database, key: str) -> None:
    process.kafka.closed = True
    await save(process, key, "e1")
    before = await process.document(key)
    process.kafka.closed = False
    assert await process.outbox.sweep(utc_now(), grace=NOW_GRACE) == 1
    assert process.keys() == ["e1"]
    assert await process.document(key) == before
    assert await marks(database) == []


async def test_the_sweep_of_another_process_sends_it_too(process: Process, database: Database, name: str) -> None:
    process.kafka.closed = True
    await save(process, "a", "e1")
    other = await start(database, name)
    assert await other.outbox.sweep(utc_now(), grace=NOW_GRACE) == 1
    assert other.keys() == ["e1"]


async def test_the_next_save_carries_on_what_was_not_sent(process: Process, database: Database, name: str) -> None:
    process.kafka.closed = True
    await save(process, "a", "e1")
    heir = await start(database, name)
    await save(heir, "a", "e2")
    assert heir.keys() == ["e1", "e2"]
    assert await marks(database) == []


async def test_the_next_save_trims_what_was_sent(process: Process) -> None:
    await save(process, "a", "e1")
    await save(process, "a", "e2")
    document = await process.document("a")
    assert document is not None
    assert [entry["revision"] for entry in document["outbox"]] == [2]


async def test_a_young_mark_is_left_to_its_process(process: Process, database: Database) -> None:
    await process.outbox.mark(process.aggregates.collection.name, "a", 1)
    assert await process.outbox.sweep(utc_now()) == 0
    assert len(await marks(database)) == 1


async def test_a_mark_whose_save_never_came_is_dropped_in_the_end(process: Process, database: Database) -> None:
    await process.outbox.mark(process.aggregates.collection.name, "a", 1)
    assert await process.outbox.sweep(utc_now() + GRACE * 2) == 0
    assert await process.outbox.left() == 0
    assert await process.outbox.sweep(utc_now() + ABANDONED * 2) == 1
    assert await marks(database) == []


async def test_while_kafka_is_down_the_sweep_keeps_everything(process: Process, database: Database) -> None:
    process.kafka.closed = True
    for key in "abc":
        await save(process, key, f"e-{key}")
    assert await process.outbox.sweep(utc_now(), grace=NOW_GRACE) == 0
    assert len(await marks(database)) == 3
    assert await process.outbox.left() == 3
    process.kafka.closed = False
    assert await process.outbox.sweep(utc_now(), grace=NOW_GRACE) == 3
    assert sorted(process.keys()) == ["e-a", "e-b", "e-c"]
    assert await process.outbox.left() == 0
    assert await marks(database) == []


async def test_the_sweep_keeps_the_order_of_many_revisions(process: Process) -> None:
    process.kafka.closed = True
    events = [f"e{n:02}" for n in range(12)]
    for one in events:
        await save(process, "a", one)
    process.kafka.closed = False
    assert await process.outbox.sweep(utc_now(), grace=NOW_GRACE) == 12
    assert process.keys() == events


async def test_behind_what_cannot_be_sent_the_later_of_its_record_wait_and_others_go_on(
    process: Process, database: Database
) -> None:
    process.kafka.closed = True
    for key, one in (("a", "e1"), ("a", "e2"), ("b", "e3")):
        await save(process, key, one)
    await process.aggregates.collection.update_one({"_id": "a"}, {"$set": {"outbox.0.type": "of.another.version"}})
    process.kafka.closed = False
    assert await process.outbox.sweep(utc_now(), grace=NOW_GRACE) == 1
    assert process.keys() == ["e3"]
    assert len(await marks(database)) == 2
    await save(process, "a", "e4")
    assert process.keys() == ["e3"]


async def test_an_entry_has_the_names_that_outbox_routers_know(process: Process) -> None:
    await save(process, "a", "e1")
    document = await process.document("a")
    assert document is not None
    (entry,) = document["outbox"]
    assert {"_id", "aggregatetype", "aggregateid", "type", "payload"} <= entry.keys()
    assert (entry["aggregatetype"], entry["aggregateid"]) == (process.aggregates.collection.name, "a")


class Gated(Notebook):
    """A Kafka that confirms events only once the gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.reached = asyncio.Event(), asyncio.Event()

    async def send(self, envelope: Envelope[Message]) -> None:
        if not isinstance(envelope.data, CommandOutcome):
            self.reached.set()
            await self.gate.wait()
        await super().send(envelope)


async def test_an_outcome_is_sent_when_the_events_of_its_save_are_confirmed(database: Database, name: str) -> None:
    process = await start(database, name, kafka := Gated())
    aggregate = await process.aggregates.load(ORG, "a")
    saving = asyncio.create_task(
        process.aggregates.save(aggregate, Thing(id="a"), events=[event("e1"), event("e2")], cause=command())
    )
    await kafka.reached.wait()
    await asyncio.sleep(0)
    assert kafka.sent == []
    kafka.gate.set()
    await saving
    assert [isinstance(e.data, CommandOutcome) for e in kafka.sent] == [False, False, True]
    await process.outbox.settle()


async def test_a_command_that_comes_again_is_answered_after_its_events(
    process: Process, database: Database, name: str
) -> None:
    process.kafka.closed = True
    cause = command()
    aggregate = await process.aggregates.load(ORG, "a", cause=cause)
    await process.aggregates.save(aggregate, Thing(id="a"), events=[event("e1")], cause=cause)
    heir = await start(database, name)
    heir.kafka.closed = True
    with pytest.raises(Unavailable):
        await heir.aggregates.load(ORG, "a", cause=cause)
    heir.kafka.closed = False
    with pytest.raises(AlreadyHandled) as repeat:
        await heir.aggregates.load(ORG, "a", cause=cause)
    assert heir.keys()[0] == "e1"
    assert repeat.value.outcome is not None
    with pytest.raises(AlreadyHandled):
        await heir.aggregates.load(ORG, "a", cause=cause)
    assert heir.keys().count("e1") == 1
    await heir.outbox.settle()
    assert await marks(database) == []
