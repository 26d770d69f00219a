"""What every `Aggregates` must do. A store joins with a fixture `ground`; see `test_memory_aggregates.py`."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from chassis.errors import LostRace
from chassis.messaging.envelopes import envelope
from chassis.persistence.aggregates import Aggregate, Aggregates, AlreadyHandled, Change, Kept, Rewrite, Search
from chassis.persistence.revisions import SEEN_KEPT
from contracts.envelope import Envelope
from contracts.errors import Conflict
from contracts.messages.base import Message
from contracts.messages.catalog import CreateInventory, InventoryRemoved
from contracts.messages.outcomes import CommandOutcome, Problem
from contracts.values import InventoryId, Moment, OrganizationId, Value
from pydantic import Field

ORG, OTHER = OrganizationId("org"), OrganizationId("other")
NOON = datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)


class Part(Value):
    """Something inside a thing."""

    class_: str = Field(alias="class")


class Thing(Value):
    """An aggregate with the kinds of fields that real ones have."""

    id: str
    name: str = "thing"
    colour: str = "red"
    parts: tuple[Part, ...] = ()
    made_at: Moment = NOON
    facts: dict[str, Any] = {}


@dataclass
class Ground:
    """The aggregates under test, and what they announced so far."""

    aggregates: Aggregates[Thing]
    announced: Callable[[], list[Envelope[Message]]]


def keys_of(thing: Thing) -> dict[str, str]:
    """The fields that queries lead with."""
    return {"colour": thing.colour}


def command(key: str = "a") -> Envelope[Any]:
    """A command, as received."""
    created = CreateInventory(organization_id=ORG, inventory_id=InventoryId(key), name="n", type="self-managed")
    return envelope(created, service="test")


def event(key: str = "a") -> InventoryRemoved:
    """An event to announce."""
    return InventoryRemoved(organization_id=ORG, inventory_id=InventoryId(key))


class AggregatesSuite:
    """The promises of `chassis.persistence.aggregates.Aggregates`."""

    async def keep(self, ground: Ground, thing: Thing, org: OrganizationId = ORG) -> Aggregate[Thing]:
        return await ground.aggregates.save(await ground.aggregates.load(org, thing.id), thing)

    async def test_what_is_not_there_loads_as_an_empty_record(self, ground: Ground) -> None:
        aggregate = await ground.aggregates.load(ORG, "nothing")
        assert (aggregate.id, aggregate.organization_id, aggregate.revision, aggregate.value) == (
            "nothing",
            ORG,
            0,
            None,
        )
        assert await ground.aggregates.get(ORG, "nothing") is None

    async def test_what_is_dropped_was_never_there(self, ground: Ground) -> None:
        first = await self.keep(ground, Thing(id="a"))
        second = await ground.aggregates.save(first, Thing(id="a", name="changed"))
        await ground.aggregates.drop(first)
        assert await ground.aggregates.get(ORG, "a") is not None
        await ground.aggregates.drop(second)
        assert (await ground.aggregates.load(ORG, "a")).revision == 0
        again = await self.keep(ground, Thing(id="a", name="again"))
        assert (again.revision, await ground.aggregates.get(ORG, "a")) == (1, Thing(id="a", name="again"))

    async def test_what_was_saved_comes_back_as_it_was(self, ground: Ground) -> None:
        parts = (Part.model_validate({"class": "posix"}), Part.model_validate({"class": "ünï\ncode"}))
        thing = Thing(id="a", name="näme ☃", parts=parts, facts={"n": 1, "deep": {"list": [1, "2", None]}})
        await self.keep(ground, thing)
        assert await ground.aggregates.get(ORG, "a") == thing
        aggregate = await ground.aggregates.load(ORG, "a")
        assert (aggregate.revision, aggregate.value) == (1, thing)

    async def test_what_is_written_is_announced_once_and_when_the_caller_says_so(self, ground: Ground) -> None:
        loaded = await ground.aggregates.load(ORG, "a")
        first, announce = await ground.aggregates.write(loaded, Change(Thing(id="a"), [event("one")]))
        second, announce_next = await ground.aggregates.write(first, Change(Thing(id="a"), [event("two")]))
        assert (second.revision, ground.announced()) == (2, [])
        await announce()
        await announce_next()
        assert [each.data.key for each in ground.announced()] == ["one", "two"]

    async def test_each_save_is_a_revision(self, ground: Ground) -> None:
        first = await self.keep(ground, Thing(id="a", name="one"))
        second = await ground.aggregates.save(first, Thing(id="a", name="two"))
        third = await ground.aggregates.save(await ground.aggregates.load(ORG, "a"), Thing(id="a", name="three"))
        assert [first.revision, second.revision, third.revision] == [1, 2, 3]

    async def test_of_many_at_once_each_gets_its_own(self, ground: Ground) -> None:
        names = [f"thing {number}" for number in range(40)]
        loaded = await asyncio.gather(*(ground.aggregates.load(ORG, name) for name in names))
        saved = await asyncio.gather(
            *(ground.aggregates.save(each, Thing(id=each.id), events=[event(each.id)]) for each in loaded)
        )
        assert [each.id for each in saved] == names
        found = await asyncio.gather(*(ground.aggregates.load(ORG, name) for name in [*names, "nothing"]))
        assert [each.value and each.value.id for each in found] == [*names, None]
        assert sorted(each.data.key for each in ground.announced()) == sorted(names)

    async def test_of_many_first_saves_at_once_each_id_is_saved_once(self, ground: Ground) -> None:
        taken = await self.keep(ground, Thing(id="taken"), org=OTHER)
        new = [Aggregate[Thing](name, ORG) for name in ("a", "b", "a", taken.id, "c", "b", "d")]
        ends = await asyncio.gather(
            *(ground.aggregates.save(each, Thing(id=each.id)) for each in new), return_exceptions=True
        )
        kept = sorted(end.id for end in ends if isinstance(end, Aggregate))
        assert kept == ["a", "b", "c", "d"]
        assert sorted(type(end).__name__ for end in ends if isinstance(end, Exception)) == [
            "Conflict",
            "LostRace",
            "LostRace",
        ]

    async def test_a_save_after_somebody_elses_is_a_lost_race(self, ground: Ground) -> None:
        stale = await self.keep(ground, Thing(id="a", name="one"))
        await ground.aggregates.save(stale, Thing(id="a", name="two"))
        with pytest.raises(LostRace):
            await ground.aggregates.save(stale, Thing(id="a", name="three"))
        found = await ground.aggregates.get(ORG, "a")
        assert found is not None
        assert found.name == "two"

    async def test_a_first_save_after_somebody_elses_is_a_lost_race(self, ground: Ground) -> None:
        stale = await ground.aggregates.load(ORG, "a")
        await self.keep(ground, Thing(id="a", name="one"))
        with pytest.raises(LostRace):
            await ground.aggregates.save(stale, Thing(id="a", name="two"))

    async def test_another_organization_sees_nothing_and_overwrites_nothing(self, ground: Ground) -> None:
        await self.keep(ground, Thing(id="a"))
        assert await ground.aggregates.get(OTHER, "a") is None
        assert (await ground.aggregates.find(OTHER)).items == []
        aggregate = await ground.aggregates.load(OTHER, "a")
        assert aggregate.value is None
        with pytest.raises(Conflict, match="id_taken"):
            await ground.aggregates.save(aggregate, Thing(id="a", name="stolen"))
        found = await ground.aggregates.get(ORG, "a")
        assert found is not None
        assert found.name == "thing"

    async def test_what_was_removed_is_gone_and_may_come_back(self, ground: Ground) -> None:
        aggregate = await self.keep(ground, Thing(id="a"))
        await ground.aggregates.save(aggregate, None)
        assert await ground.aggregates.get(ORG, "a") is None
        assert (await ground.aggregates.find(ORG)).total == 0
        assert (await ground.aggregates.find(ORG, {"colour": "red"})).total == 0
        aggregate = await ground.aggregates.load(ORG, "a")
        assert (aggregate.revision, aggregate.value) == (2, None)
        await ground.aggregates.save(aggregate, Thing(id="a", name="again"))
        assert (await ground.aggregates.find(ORG)).items == [Thing(id="a", name="again")]

    async def test_events_are_announced_in_their_order_with_their_cause(self, ground: Ground) -> None:
        cause = envelope(event("b"), service="elsewhere")
        aggregate = await ground.aggregates.load(ORG, "a", cause=cause)
        await ground.aggregates.save(aggregate, Thing(id="a"), events=[event("a"), event("a")], cause=cause)
        announced = ground.announced()
        assert [e.data for e in announced] == [event("a"), event("a")]
        assert {(e.causation_id, e.correlation_id) for e in announced} == {(cause.id, cause.correlation_id)}

    async def test_a_command_gets_its_outcome_once_and_again_when_it_is_repeated(self, ground: Ground) -> None:
        cause = command()
        aggregate = await ground.aggregates.load(ORG, "a", cause=cause)
        await ground.aggregates.save(aggregate, Thing(id="a"), events=[event()], cause=cause, result={"id": "a"})
        outcomes = [e for e in ground.announced() if isinstance(e.data, CommandOutcome)]
        assert [(o.data.command_id, o.data.accepted, o.data.result) for o in outcomes] == [
            (cause.id, True, {"id": "a"})
        ]
        with pytest.raises(AlreadyHandled) as repeated:
            await ground.aggregates.load(ORG, "a", cause=cause)
        assert repeated.value.outcome is not None
        assert (repeated.value.outcome.id, repeated.value.outcome.data) == (outcomes[0].id, outcomes[0].data)

    async def test_a_repeated_event_is_known_and_has_no_outcome(self, ground: Ground) -> None:
        cause = envelope(event(), service="elsewhere")
        await ground.aggregates.save(await ground.aggregates.load(ORG, "a", cause=cause), Thing(id="a"), cause=cause)
        with pytest.raises(AlreadyHandled) as repeated:
            await ground.aggregates.load(ORG, "a", cause=cause)
        assert repeated.value.outcome is None

    async def test_an_equal_id_from_another_source_is_another_message(self, ground: Ground) -> None:
        cause = command()
        await ground.aggregates.save(await ground.aggregates.load(ORG, "a"), Thing(id="a"), cause=cause)
        other = cause.model_copy(update={"source": "/elsewhere"})
        assert (await ground.aggregates.load(ORG, "a", cause=other)).revision == 1

    async def test_a_problem_as_result_refuses_the_command(self, ground: Ground) -> None:
        cause, problem = command(), Problem(code="no", detail="No.")
        await ground.aggregates.save(await ground.aggregates.load(ORG, "a"), Thing(id="a"), cause=cause, result=problem)
        (outcome,) = ground.announced()
        assert isinstance(outcome.data, CommandOutcome)
        assert (outcome.data.accepted, outcome.data.problem) == (False, problem)

    async def test_a_partial_save_leaves_the_outcome_to_the_last(self, ground: Ground) -> None:
        cause = command()
        for key, partial in (("a", True), ("b", False)):
            aggregate = await ground.aggregates.load(ORG, key)
            await ground.aggregates.save(aggregate, Thing(id=key), events=[event(key)], cause=cause, partial=partial)
        assert [type(e.data) for e in ground.announced()] == [InventoryRemoved, InventoryRemoved, CommandOutcome]

    async def test_events_of_a_step_follow_from_a_command_that_is_not_done_yet(self, ground: Ground) -> None:
        cause = command()
        step = Change(Thing(id="a"), [event()], following=cause)
        _, announce = await ground.aggregates.write(await ground.aggregates.load(ORG, "a", cause=cause), step)
        assert await announce()
        [announced] = ground.announced()
        assert (announced.causation_id, announced.correlation_id) == (cause.id, cause.correlation_id)
        assert (await ground.aggregates.load(ORG, "a", cause=cause)).revision == 1

    async def test_recent_messages_are_remembered(self, ground: Ground) -> None:
        causes = [command() for _ in range(SEEN_KEPT + 1)]
        aggregate = await ground.aggregates.load(ORG, "a")
        for cause in causes:
            aggregate = await ground.aggregates.save(aggregate, Thing(id="a"), cause=cause)
        for cause in causes[1:]:
            with pytest.raises(AlreadyHandled):
                await ground.aggregates.load(ORG, "a", cause=cause)

    async def test_find_lists_by_keys_in_order_and_in_parts(self, ground: Ground) -> None:
        for key, colour in (("c", "red"), ("a", "red"), ("b", "blue"), ("d", "red")):
            await self.keep(ground, Thing(id=key, colour=colour))
        await self.keep(ground, Thing(id="e", colour="red"), OTHER)
        red = await ground.aggregates.find(ORG, {"colour": "red"})
        assert ([t.id for t in red.items], red.total) == (["a", "c", "d"], 3)
        part = await ground.aggregates.find(ORG, limit=2, offset=1, newest_first=True)
        assert ([t.id for t in part.items], part.total) == (["c", "b"], 4)
        beyond = await ground.aggregates.find(ORG, limit=2, offset=10)
        assert (beyond.items, beyond.total) == ([], 4)

    async def test_a_scan_finds_what_find_does_in_batches(self, ground: Ground) -> None:
        for number in range(7):
            await self.keep(ground, Thing(id=f"{number}", colour="red" if number % 2 else "blue"))
        await self.keep(ground, Thing(id="e", colour="red"), OTHER)
        await ground.aggregates.save(await ground.aggregates.load(ORG, "5"), None)
        await ground.aggregates.save(await ground.aggregates.load(ORG, "3"), Thing(id="3", name="new"))
        batches = [batch async for batch in ground.aggregates.scan(ORG, batch=4)]
        assert [[(k.id, k.revision) for k in batch] for batch in batches] == [
            [("0", 1), ("1", 1), ("2", 1), ("3", 2)],
            [("4", 1), ("6", 1)],
        ]
        red = [batch async for batch in ground.aggregates.scan(ORG, {"colour": "red"})]
        assert red == [[Kept("1", 1, Thing(id="1")), Kept("3", 2, Thing(id="3", name="new"))]]
        assert [batch async for batch in ground.aggregates.scan(ORG, {"colour": "green"})] == []

    async def test_many_are_saved_at_once(self, ground: Ground) -> None:
        old = [Thing(id="a"), Thing(id="b")]
        for thing in old:
            await self.keep(ground, thing)
        blue = Thing(id="a", colour="blue")
        many = [Rewrite("a", 1, old[0], blue), Rewrite("b", 1, old[1], None), Rewrite("c", 0, None, Thing(id="c"))]
        for _ in range(2):
            await ground.aggregates.save_many(ORG, many)
            assert (await ground.aggregates.find(ORG)).items == [blue, Thing(id="c")]
            assert (await ground.aggregates.find(ORG, {"colour": "red"}, limit=9)).total == 1
            assert [(await ground.aggregates.load(ORG, id_)).revision for id_ in "abc"] == [2, 2, 1]
        assert ground.announced() == []
        await ground.aggregates.save(await ground.aggregates.load(ORG, "b"), Thing(id="b", name="again"))
        await ground.aggregates.save_many(ORG, [Rewrite("a", 2, blue, old[0])])
        assert [t.name for t in (await ground.aggregates.find(ORG, {"colour": "red"})).items] == [
            "thing",
            "again",
            "thing",
        ]

    async def test_hundreds_are_changed_at_once(self, ground: Ground) -> None:
        things = [Thing(id=f"{n:04}") for n in range(500)]
        await ground.aggregates.save_many(ORG, [Rewrite(each.id, 0, None, each) for each in things])
        blue = [each.model_copy(update={"colour": "blue"}) for each in things]
        await ground.aggregates.save_many(
            ORG, [Rewrite(each.id, 1, each, after) for each, after in zip(things, blue, strict=True)]
        )
        assert (await ground.aggregates.find(ORG, {"colour": "blue"}, limit=1)).total == 500

    async def test_what_is_saved_with_many_remembers_and_announces_as_before(self, ground: Ground) -> None:
        cause = command()
        loaded = await ground.aggregates.load(ORG, "a", cause=cause)
        change = Change(Thing(id="a"), [event()], cause, {"id": "a"})
        _, announce = await ground.aggregates.write(loaded, change)
        await ground.aggregates.save_many(ORG, [Rewrite("a", 1, Thing(id="a"), Thing(id="a", name="new"))])
        await announce()
        assert [type(e.data) for e in ground.announced()] == [InventoryRemoved, CommandOutcome]
        with pytest.raises(AlreadyHandled):
            await ground.aggregates.load(ORG, "a", cause=cause)

    async def test_what_cannot_be_saved_with_many_is_told(self, ground: Ground) -> None:
        theirs = Thing(id="a")
        await self.keep(ground, theirs, OTHER)
        with pytest.raises(Conflict, match="id_taken"):
            await ground.aggregates.save_many(ORG, [Rewrite("a", 0, None, Thing(id="a", name="stolen"))])
        with pytest.raises(LostRace):
            await ground.aggregates.save_many(ORG, [Rewrite("b", 1, theirs, Thing(id="b"))])
        assert await ground.aggregates.get(OTHER, "a") == theirs

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("PLAIN", ["plain"]),
            ("a.c", ["dots a.c"]),
            (".*", ["stars .*"]),
            ("(", ["(paren"]),
            ("[a-z]", ["class [a-z]"]),
            ("\\", ["back\\slash"]),
            ("$", ["cash $"]),
            ("^", ["hat ^"]),
            ("a|b", ["either a|b"]),
            ("+?{1}", ["+?{1}"]),
            ("ÄÖ", ["Umlaut äö"]),
            ("\n", ["line\nbreak"]),
            ("'\"; --", ["quote '\"; --"]),
            ("%", ["100 %"]),
            ("#", ["#1"]),
            ("— ☃", ["dash — ☃💩"]),
            ("💩", ["dash — ☃💩"]),
            ("\ufffd", []),
            ("\x85\u2028", []),
            ("", None),
            ("nowhere", []),
        ],
    )
    async def test_search_takes_every_character_for_itself(
        self, ground: Ground, text: str, found: list[str] | None
    ) -> None:
        names = [
            "plain", "dots a.c", "dots abc", "stars .*", "(paren", "class [a-z]", "back\\slash", "cash $", "hat ^",
            "either a|b", "+?{1}", "Umlaut äö", "line\nbreak", "quote '\"; --", "100 %", "#1",
            "dash — ☃💩",
        ]  # fmt: skip
        for number, name in enumerate(names):
            await self.keep(ground, Thing(id=f"{number:02}", name=name))
        page = await ground.aggregates.find(ORG, search=Search(fields=("name", "id"), text=text))
        assert [t.name for t in page.items] == (names if found is None else found)

    @pytest.mark.parametrize("text", ["\x00", "a\x00b", "\ud800"])
    async def test_texts_that_no_database_keeps_find_nothing(self, ground: Ground, text: str) -> None:
        await self.keep(ground, Thing(id="a"))
        assert await ground.aggregates.get(ORG, text) is None
        assert (await ground.aggregates.load(ORG, text)).value is None
        assert (await ground.aggregates.find(ORG, {"colour": text})).items == []
        assert (await ground.aggregates.find(ORG, search=Search(fields=("name",), text=text))).items == []

    @pytest.mark.parametrize("key", ["", "a/b", "$where", ".", "..", "ü ☃", "a" * 500, "{}", "'", "\\"])
    async def test_ids_are_opaque(self, ground: Ground, key: str) -> None:
        await self.keep(ground, Thing(id=key))
        assert await ground.aggregates.get(ORG, key) == Thing(id=key)
        assert (await ground.aggregates.load(ORG, key)).revision == 1
