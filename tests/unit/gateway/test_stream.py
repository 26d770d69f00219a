"""The live stream without servers: ids, filters, what is kept for whom, and how a stream ends."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from chassis.messaging.envelopes import envelope
from contracts.envelope import to_body, to_headers
from contracts.errors import Forbidden, Invalid, Throttled, Unauthorized
from contracts.messages.assignment import AppAssigned
from contracts.messages.base import Message
from contracts.messages.catalog import ResourceRemoved
from contracts.messages.connector.stores import RestorePointRemoved
from contracts.messages.connector.task_events import LogLine, TaskLogged, TaskProgressed
from contracts.messages.imports import ImportApplied, ResourcesChanged
from contracts.messages.protection import LegalHold, LegalHoldLifted, LegalHoldSet
from contracts.messages.restore_index import RestorePointBrowsable, Totals
from contracts.messages.scheduler import JobChanged, JobNoted
from contracts.values import AppId, ImportId, InventoryId, JobId, OrganizationId, ResourceId, RunId, SnapshotId
from gateway.access.principal import Principal
from gateway.areas.stream.channel import Channel, Entry, Happening, Overrun
from gateway.areas.stream.events import happening_of, notice
from gateway.areas.stream.feed import TOPICS, Feed, TopicNumbers
from gateway.areas.stream.listener import Listener, Past, Rhythm, Wanted
from gateway.areas.stream.positions import EventIds, Positions
from gateway.areas.stream.service import StreamLimits, Streams
from gateway.settings import Settings

from tests.support import builders as make
from tests.unit.gateway.test_domain import an_app

ORG, OTHER = OrganizationId("org"), OrganizationId("other")
AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
IDS = EventIds(bytes(32))
NEVER = Rhythm(heartbeat=3600, rights=3600)
PARTITIONS = 2


def job(name: str, *, org: OrganizationId = ORG, **changes: Any) -> JobChanged:
    facts = {"run_id": RunId("run"), "status": "running", "task_type": "backup", "at": AT, **changes}
    return JobChanged(organization_id=org, job_id=JobId(name), **facts)


def progress(name: str, fraction: float) -> TaskProgressed:
    return TaskProgressed(
        organization_id=ORG, job_id=JobId(name), attempt=1, at=AT, phase="transferring", fraction=fraction
    )


class Topics:
    """What is sent to the topics, read by a feed."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.feed = self.a_feed()

    def a_feed(self) -> Feed:
        feed = Feed(TopicNumbers(TOPICS), IDS)
        feed.positions = Positions([0] * PARTITIONS for _ in TOPICS)
        return feed

    async def send(self, *messages: Message, partition: int = 0) -> None:
        for message in messages:
            wrapped = envelope(message, service="test")
            offset = sum((r.topic, r.partition) == (message.topic, partition) for r in self.sent)
            headers, body = to_headers(wrapped), to_body(wrapped)
            key = message.key.encode()
            record = ConsumerRecord(message.topic, partition, offset, 0, 0, key, body, None, 0, 0, headers)
            self.sent.append(record)
            await self.feed.take(record)

    async def past(self, channel: Channel, position: Positions) -> AsyncGenerator[Happening | None, None]:
        """As `CatchUp.past`, of what was sent."""
        numbers = self.feed.numbers
        for record in self.sent:
            topic, partition = numbers.number(record.topic), record.partition
            at, end = position.at(topic, partition) or 0, channel.start.at(topic, partition) or 0
            if at <= record.offset < end:
                position.move(topic, partition, record.offset + 1)
                found = happening_of(record)
                yield found[1] if found and found[0] == ORG else None


class Client:
    """Reads the pieces of one answer as a browser does."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.last_id = ""
        self._pieces = listener.pieces()

    async def next(self) -> list[dict[str, Any]]:
        """The data of the events in the next piece."""
        found = []
        for block in (await self.piece()).split("\n\n")[:-1]:
            lines = [line.split(": ", 1) for line in block.split("\n")]
            fields = dict(lines)
            self.last_id = fields.get("id", self.last_id)
            if "data" in fields:
                found.append(json.loads(fields["data"]))
        return found

    async def piece(self) -> str:
        """The next piece as it is sent."""
        return (await anext(self._pieces)).decode()

    async def until(self, done: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(5):
            while not done(found):
                found += await self.next()
        return found


@pytest.fixture
def topics() -> Topics:
    return Topics()


def listening(
    topics: Topics, *, wanted: Wanted | None = None, resumed: str = "", rhythm: Rhythm = NEVER, **named: Any
) -> Client:
    async def allowed() -> None:
        pass

    feed: Feed = named.pop("feed", topics.feed)
    listener = Listener(
        feed=feed,
        channel=named.pop("channel", None) or feed.channel(ORG),
        ids=IDS,
        wanted=wanted or Wanted(),
        rhythm=rhythm,
        past=named.pop("past", topics.past),
        still_allowed=named.pop("still_allowed", allowed),
        resumed=IDS.read(resumed) if resumed else None,
    )
    return Client(listener)


def names(events: list[dict[str, Any]]) -> list[str]:
    return [each["job_id"] for each in events]


class TestIds:
    def test_an_id_is_read_back(self) -> None:
        positions = Positions([[0, 1, 127, 128, 2**40], [], [7]])

        assert IDS.read(IDS.write(positions)).items() == positions.items()

    def test_an_id_is_short_and_safe_in_a_header(self) -> None:
        text = IDS.write(Positions([[1_000_000] * 8 for _ in range(5)]))

        assert len(text) < 200
        assert text.replace("-", "").replace("_", "").isalnum()

    @pytest.mark.parametrize("text", ["", "7", "nonsense", "AQ", "é", "x" * 5000, "AQgAAAAB", "a b"])
    def test_nonsense_is_refused(self, text: str) -> None:
        with pytest.raises(Invalid) as refused:
            IDS.read(text)
        assert refused.value.code == "event_id_unknown"

    def test_an_id_of_another_installation_is_refused(self) -> None:
        with pytest.raises(Invalid):
            IDS.read(EventIds(b"1" * 32).write(Positions([[1]])))

    def test_an_altered_id_is_refused(self) -> None:
        sealed = bytearray(base64.urlsafe_b64decode(IDS.write(Positions([[1, 2, 3]])) + "=="))
        sealed[3] ^= 1

        with pytest.raises(Invalid):
            IDS.read(base64.urlsafe_b64encode(bytes(sealed)).rstrip(b"=").decode())


def entry(number: int, *, replaces: str = "", size: int = 10) -> Entry:
    return Entry(Happening("job", frozenset({str(number)}), b"x" * size, replaces), 0, 0, number, b"")


class TestChannels:
    def test_the_latest_events_are_kept_and_no_more(self) -> None:
        channel = Channel(Positions([[0]]), most_events=100)
        for number in range(1000):
            channel.add(entry(number))

        kept = channel.since(channel.first_number)
        assert 100 <= len(kept) < 200
        assert kept[-1].offset == 999
        assert channel.start.at(0, 0) == kept[0].offset

    def test_no_more_bytes_are_kept_than_wanted(self) -> None:
        channel = Channel(Positions([[0]]), most_bytes=10_000)
        for number in range(100):
            channel.add(entry(number, size=1000))

        assert sum(len(e.happening.text) for e in channel.since(channel.first_number)) <= 10_000

    def test_an_event_that_is_larger_than_all_that_is_kept_is_sent_all_the_same(self) -> None:
        channel = Channel(Positions([[0]]), most_bytes=100)
        channel.add(entry(0))
        channel.add(entry(1, size=1000))

        assert [e.offset for e in channel.since(channel.first_number)] == [1]

    def test_who_is_too_slow_learns_that_something_is_gone(self) -> None:
        channel = Channel(Positions([[0]]), most_events=10)
        for number in range(200):
            channel.add(entry(number))

        with pytest.raises(Overrun):
            channel.since(0)

    def test_of_progress_the_latest_of_each_job_is_left(self) -> None:
        channel = Channel(Positions([[0]]))
        for number in range(50):
            channel.add(entry(number, replaces=f"progress/{number % 2}"))
        channel.add(entry(50))

        assert [e.offset for e in channel.since(0)] == [48, 49, 50]


class TestListening:
    async def test_events_are_told_as_they_come(self, topics: Topics) -> None:
        client = listening(topics)
        assert await client.next() == []

        await topics.send(job("one"), job("two"))

        assert names(await client.next()) == ["one", "two"]

    async def test_another_organization_hears_nothing(self, topics: Topics) -> None:
        client = listening(topics)
        topics.feed.channel(OTHER)
        await topics.send(job("theirs", org=OTHER), job("ours"))

        assert names(await client.until(bool)) == ["ours"]

    @pytest.mark.parametrize(
        ("wanted", "heard"),
        [
            (Wanted(kinds=frozenset({"progress"})), ["b"]),
            (Wanted(ids=frozenset({"a"})), ["a"]),
            (Wanted(ids=frozenset({"store"})), ["c"]),
            (Wanted(kinds=frozenset({"job"}), ids=frozenset({"a", "b", "source"})), ["a", "c"]),
        ],
    )
    async def test_a_listener_hears_what_it_chose(self, topics: Topics, wanted: Wanted, heard: list[str]) -> None:
        client = listening(topics, wanted=wanted)
        of = {"origin_id": AppId("source"), "target_id": AppId("store")}
        await topics.send(job("a"), progress("b", 0.5), job("c", **of))

        assert names(await client.until(lambda found: len(found) == len(heard))) == heard

    async def test_a_slow_listener_gets_the_latest_progress_and_every_line(self, topics: Topics) -> None:
        client = listening(topics)
        await client.next()
        line = LogLine(at=AT, level="info", text="a line\x1b")
        for number in range(1, 20):
            logged = TaskLogged(
                organization_id=ORG, job_id=JobId("j"), attempt=1, at=AT, sequence=number, lines=(line,)
            )
            await topics.send(progress("j", number / 20), logged)

        found = await client.next()
        assert [e["sequence"] for e in found if e["kind"] == "log"] == list(range(1, 20))
        assert [e["progress"]["fraction"] for e in found if e["kind"] == "progress"] == [0.95]
        assert found[-1]["lines"][0]["text"] == "a line\\x1b"

    async def test_lines_of_the_scheduler_are_lines_of_the_log(self, topics: Topics) -> None:
        client = listening(topics, wanted=Wanted(kinds=frozenset({"log"}), ids=frozenset({"run"})))
        line = LogLine(at=AT, level="info", text="asked to stop\x1b")
        of: dict[str, Any] = {"organization_id": ORG, "job_id": JobId("j"), "run_id": RunId("run"), "at": AT}
        await topics.send(job("j"), JobNoted(**of, attempt=1, lines=(line,)))

        [told] = await client.until(bool)
        assert (told["kind"], told["job_id"], told["attempt"], told["sequence"]) == ("log", "j", 1, 0)
        assert [each["text"] for each in told["lines"]] == ["asked to stop\\x1b"]

    async def test_a_silent_stream_says_that_it_lives_and_where_it_is(self, topics: Topics) -> None:
        client = listening(topics, rhythm=Rhythm(heartbeat=0.01, rights=3600))
        await client.next()
        await topics.send(job("theirs", org=OTHER))

        assert await client.next() == []
        assert IDS.read(client.last_id).items() == topics.feed.positions.items()

    async def test_holds_are_told_with_all_their_restore_points(self, topics: Topics) -> None:
        everything, one = listening(topics), listening(topics, wanted=Wanted(ids=frozenset({"b"})))
        of: dict[str, Any] = {"organization_id": ORG, "store_id": AppId("store")}
        both = (SnapshotId("a"), SnapshotId("b"))
        await topics.send(
            LegalHoldSet(**of, snapshot_ids=both, hold=LegalHold(at=AT)),
            LegalHoldLifted(**of, snapshot_ids=both[:1]),
        )

        held, lifted = await everything.until(lambda found: len(found) == 2)
        assert (held["kind"], held["change"], held["store_id"]) == ("restore-point", "held", "store")
        assert (held["snapshot_id"], held["snapshot_ids"]) == ("a", ["a", "b"])
        assert (lifted["change"], lifted["snapshot_id"], lifted["snapshot_ids"]) == ("lifted", "a", ["a"])
        assert await one.until(bool) == [held]

    @pytest.mark.parametrize(
        ("chosen", "heard"),
        [
            ("run", ["progress", "log"]),
            ("source", ["restore-point browsable", "restore-point held", "restore-point lifted"]),
            ("a", [f"restore-point {each}" for each in ("browsable", "held", "lifted", "removed")]),
            ("inventory", ["resource removed"]),
        ],
    )
    async def test_all_that_is_about_a_thing_is_heard_by_its_id(
        self, topics: Topics, chosen: str, heard: list[str]
    ) -> None:
        client = listening(topics, wanted=Wanted(ids=frozenset({chosen, "end"})))
        point: dict[str, Any] = {"organization_id": ORG, "store_id": AppId("store")}
        source, ids = AppId("source"), (SnapshotId("a"),)
        line = LogLine(at=AT, level="info", text="a line")
        of_run: dict[str, Any] = {"organization_id": ORG, "job_id": JobId("j"), "run_id": RunId("run"), "attempt": 1}
        await topics.send(
            progress("j", 0.5).model_copy(update={"run_id": "run"}),
            TaskLogged(**of_run, at=AT, sequence=1, lines=(line,)),
            RestorePointBrowsable(
                **point, snapshot_id=ids[0], source_id=source, totals=Totals(files=0, directories=0, bytes=0)
            ),
            LegalHoldSet(**point, snapshot_ids=ids, hold=LegalHold(at=AT), source_ids=(source,)),
            LegalHoldLifted(**point, snapshot_ids=ids, source_ids=(source,)),
            RestorePointRemoved(**point, snapshot_id="a"),
            ResourceRemoved(
                organization_id=ORG, resource_id=ResourceId("r"), revision=2, inventory_id=InventoryId("inventory")
            ),
            job("end"),
        )

        found = await client.until(lambda found: bool(found) and found[-1].get("job_id") == "end")
        assert [f"{each['kind']} {each.get('change', '')}".strip() for each in found[:-1]] == heard

    async def test_a_list_that_was_imported_is_one_event_of_its_inventory(self, topics: Topics) -> None:
        client = listening(topics)
        about: dict[str, Any] = {"organization_id": ORG, "inventory_id": InventoryId("inv"), "import_id": ImportId("i")}
        await topics.send(
            ResourcesChanged(**about, changed=(make.a_resource(),)),
            ImportApplied(**about, added=1, changed=0, unchanged=0, removed=0),
        )
        [told] = await client.until(bool)
        assert (told["kind"], told["change"], told["inventory_id"]) == ("inventory", "imported", "inv")

    async def test_no_secret_is_in_an_event(self, topics: Topics) -> None:
        client = listening(topics)
        app = an_app(id="app", fields={"passphrase": make.sealed()})
        await topics.send(AppAssigned(organization_id=ORG, app_id=AppId("app"), app=app))

        [told] = await client.until(bool)
        assert told["connector"]["id"] == "app"
        assert "fields" not in told["connector"]
        assert make.sealed().sealed is not None
        assert make.sealed().sealed.ciphertext not in json.dumps(told)  # type: ignore[union-attr]


class TestEndings:
    @pytest.mark.parametrize("refusal", [Unauthorized("token_invalid", "It expired."), Forbidden("forbidden", "No.")])
    async def test_who_may_not_listen_any_more_is_told(self, topics: Topics, refusal: Exception) -> None:
        async def refuse() -> None:
            raise refusal

        client = listening(topics, rhythm=Rhythm(heartbeat=3600, rights=0.01), still_allowed=refuse)

        [end] = await client.until(bool)
        assert (end["kind"], end["code"]) == ("end", refusal.code)  # type: ignore[attr-defined]
        with pytest.raises(StopAsyncIteration):
            await client.next()

    async def test_who_reads_too_slowly_is_told_and_goes_on_where_it_was(self, topics: Topics) -> None:
        channel = Channel(topics.feed.positions.copy(), most_events=10)
        client = listening(topics, channel=channel)
        await client.next()
        for number in range(200):
            await topics.send(job(str(number)))
            channel.add(entry(number))

        [end] = await client.next()
        assert end["code"] == "too_slow"
        again = listening(topics, resumed=client.last_id)
        assert names(await again.until(lambda found: len(found) == 200)) == [str(n) for n in range(200)]

    async def test_when_the_process_stops_all_are_told(self, topics: Topics) -> None:
        streams = some_streams(topics)
        listeners = [open_one(streams) for _ in range(3)]
        clients = [Client(each) for each in listeners]
        for client in clients:
            await client.next()

        streams.stop()

        assert [(await c.next())[0]["code"] for c in clients] == ["server_stopping"] * 3


class Standstill:
    """A past that never comes: no turn, no answer of Kafka, or a reader that is not there yet."""

    def __init__(self) -> None:
        self.has_begun, self.is_left = asyncio.Event(), False

    async def __call__(self, channel: Channel, position: Positions) -> AsyncGenerator[Happening | None, None]:
        self.has_begun.set()
        try:
            await asyncio.Event().wait()
            yield None
        finally:
            self.is_left = True


class TestWaitingForThePast:
    """A client that comes back waits, and sees all the same what everybody sees."""

    async def resuming(self, topics: Topics, past: Past, **named: Any) -> Client:
        first = listening(topics)
        await first.next()
        await topics.send(job("a"))
        # A channel that begins later: what was before has to be read again.
        channel = Channel(topics.feed.positions.copy())
        rhythm = Rhythm(**{"heartbeat": 3600, "rights": 3600, "look": 0.001} | named.pop("rhythm", {}))
        client = listening(topics, resumed=first.last_id, channel=channel, past=past, rhythm=rhythm, **named)
        assert await client.next() == []
        return client

    async def test_it_hears_that_the_stream_lives_and_where_it_is(self, topics: Topics) -> None:
        client = await self.resuming(topics, Standstill(), rhythm={"heartbeat": 0.002})
        before = client.last_id
        async with asyncio.timeout(5):
            assert await client.piece() == f": still here\nid: {before}\n\n"

    async def test_no_heartbeat_has_the_id_of_an_event_that_comes_while_its_rights_are_looked_at(
        self, topics: Topics
    ) -> None:
        may_come, is_there = asyncio.Event(), asyncio.Event()

        async def past(channel: Channel, position: Positions) -> AsyncGenerator[Happening | None, None]:
            await may_come.wait()
            async for happening in topics.past(channel, position):
                is_there.set()
                yield happening

        async def look_up() -> None:
            may_come.set()
            await is_there.wait()

        client = await self.resuming(topics, past, rhythm={"heartbeat": 0, "rights": 0}, still_allowed=look_up)
        before = client.last_id
        async with asyncio.timeout(5):
            assert await client.piece() == f": still here\nid: {before}\n\n"
            assert names(await client.next()) == ["a"]

    async def test_lost_rights_end_it(self, topics: Topics) -> None:
        async def refuse() -> None:
            raise Forbidden("forbidden", "No.")

        past = Standstill()
        client = await self.resuming(topics, past, rhythm={"rights": 0.002}, still_allowed=refuse)
        [end] = await client.until(bool)
        assert (end["code"], past.is_left) == ("forbidden", True)

    async def test_the_stop_of_the_process_ends_it(self, topics: Topics) -> None:
        past = Standstill()
        client = await self.resuming(topics, past)
        client.listener.is_stopping = True
        [end] = await client.until(bool)
        assert (end["code"], past.is_left) == ("server_stopping", True)

    async def test_whoever_leaves_gives_its_turn_back(self, topics: Topics) -> None:
        past = Standstill()
        client = await self.resuming(topics, past)
        waiting = asyncio.ensure_future(client.next())
        await past.has_begun.wait()
        client.listener.is_gone = True
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(waiting, 5)
        assert past.is_left

    async def test_whoever_leaves_hears_nothing_that_comes_after_what_it_waits_for(self, topics: Topics) -> None:
        past = Standstill()
        client = await self.resuming(topics, past)
        client.listener.channel.add(entry(1))
        client.listener.is_gone = True
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(client.next(), 5)


class TestGoingOn:
    async def test_nothing_is_lost_or_told_twice_wherever_a_client_was_cut_off(self, topics: Topics) -> None:
        client = listening(topics)
        ids = []
        for number in range(8):
            await topics.send(job(str(number)), partition=number % PARTITIONS)
            await client.until(bool)
            ids.append(client.last_id)

        for number, last_id in enumerate(ids):
            again = listening(topics, resumed=last_id)
            await topics.send(job("end"))
            heard = names(await again.until(lambda found: bool(found) and found[-1]["job_id"] == "end"))
            assert [name for name in heard if name != "end"] == [str(n) for n in range(number + 1, 8)]

    async def test_another_process_goes_on_although_it_read_in_another_order(self, topics: Topics) -> None:
        client = listening(topics)
        await client.next()
        await topics.send(job("a"), partition=0)
        await topics.send(job("b"), partition=1)
        await client.until(lambda found: len(found) == 2)
        other = topics.a_feed()
        channel = other.channel(ORG)
        for record in reversed(topics.sent):
            await other.take(record)

        again = listening(topics, feed=other, channel=channel, resumed=client.last_id)
        topics.feed = other
        await topics.send(job("c"), partition=1)

        assert names(await again.until(bool)) == ["c"]

    async def test_ids_at_the_seam_lead_on_from_there(self, topics: Topics) -> None:
        first = listening(topics)
        await first.next()
        await topics.send(*(job(str(n)) for n in range(4)))
        again = listening(topics, resumed=first.last_id)
        ids: list[str] = []
        heard: list[str] = []
        pieces = again.listener.pieces()
        async for piece in pieces:
            for block in piece.decode().split("\n\n"):
                fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
                if "data" in fields:
                    heard.append(json.loads(fields["data"])["job_id"])
                    ids.append(fields["id"])
            if len(heard) == 4:
                break
        await pieces.aclose()

        for number, last_id in enumerate(ids[:-1]):
            rest = await listening(topics, resumed=last_id).until(lambda found, n=number: len(found) == 3 - n)
            assert names(rest) == [str(n) for n in range(number + 1, 4)]

    async def test_what_kafka_lost_is_told(self, topics: Topics) -> None:
        client = listening(topics)
        await client.next()
        await topics.send(job("a"))
        topics.sent += [topics.sent[0]] * 3
        await topics.send(job("b"))

        found = await client.until(lambda found: len(found) == 3)
        assert [each["kind"] for each in found] == ["job", "gap", "job"]

    async def test_behind_a_gap_nothing_is_left_out_wherever_a_client_was_cut_off(self, topics: Topics) -> None:
        first = listening(topics)
        await first.next()
        start = first.last_id
        await topics.send(job("a"))
        topics.sent += [topics.sent[0]] * 3
        await topics.send(job("b"), job("c"))
        again = listening(topics, resumed=start)
        await again.next()

        blocks = [block for block in (await again.piece()).split("\n\n") if "data" in block]
        told = [json.loads(block.split("data: ")[1].split("\n")[0]) for block in blocks]
        assert [each.get("job_id", each["kind"]) for each in told] == ["a", "gap", "b", "c"]
        at_gap = blocks[1].rpartition("id: ")[2]
        rest = await listening(topics, resumed=at_gap).until(lambda found: len(found) == 2)
        assert names(rest) == ["b", "c"]

    async def test_a_gap_is_told_whatever_is_chosen(self) -> None:
        assert Wanted(kinds=frozenset({"log"}), ids=frozenset({"x"})).admits(notice("gap", "events_lost", "Lost."))


WHO = Principal(account_id="account", organization_id=ORG, roles=("auditor",))


def some_streams(topics: Topics, limits: StreamLimits | None = None) -> Streams:
    def past(_: OrganizationId, channel: Channel, position: Positions) -> AsyncGenerator[Happening | None, None]:
        return topics.past(channel, position)

    return Streams(topics.feed, past, IDS, rhythm=NEVER, limits=limits or StreamLimits())


def open_one(streams: Streams, who: Principal = WHO, last_event_id: str | None = None) -> Listener:
    async def allowed() -> None:
        pass

    return streams.open(who, Wanted(), last_event_id=last_event_id, still_allowed=allowed)


class TestLimits:
    def test_one_credential_may_have_all_streams_of_its_organization(self) -> None:
        default = {
            name: Settings.model_fields[f"streams_per_{name}"].default for name in ("organization", "credential")
        }
        assert default == {"organization": 2000, "credential": 2000}
        assert StreamLimits() == StreamLimits(default["organization"], default["credential"])

    @pytest.mark.parametrize("limits", [StreamLimits(of_organization=2), StreamLimits(of_credential=2)])
    async def test_no_more_streams_than_allowed_are_open(self, topics: Topics, limits: StreamLimits) -> None:
        streams = some_streams(topics, limits)
        opened = [open_one(streams), open_one(streams)]

        with pytest.raises(Throttled) as refused:
            open_one(streams)
        assert refused.value.code == "too_many_streams"
        streams.leave(opened[0])
        streams.leave(opened[0])
        open_one(streams)

    async def test_an_organization_does_not_crowd_out_another(self, topics: Topics) -> None:
        streams = some_streams(topics, StreamLimits(of_organization=1))
        open_one(streams)

        open_one(streams, WHO.model_copy(update={"organization_id": OTHER, "account_id": "b"}))

    async def test_an_id_from_elsewhere_takes_no_place(self, topics: Topics) -> None:
        streams = some_streams(topics, StreamLimits(of_organization=1))
        with pytest.raises(Invalid):
            open_one(streams, last_event_id="garbage")

        open_one(streams)
