"""The rules of evolution forbid what would break a reader, and allow what would not."""

from typing import ClassVar, Literal

import pytest
from contracts.evolution import breaking_changes
from contracts.messages.base import Event
from contracts.schemas import schema_of
from contracts.values import Value
from pydantic import BaseModel, Field


class Part(Value):
    name: str


class Old(Event):
    TYPE: ClassVar[str] = "cairn.test.thing.changed.v1"
    TOPIC: ClassVar[str] = "cairn.test.events"
    KEY: ClassVar[str] = "id"

    id: str
    colour: Literal["red", "blue"] = "red"
    size: int | None = None
    part: Part = Part(name="p")
    parts: tuple[Part, ...] = ()
    by_name: dict[str, Part] = {}
    limit: int = Field(default=0, ge=0)


class WithField(Old):
    new: str = "default"


class Described(Old):
    """Other words."""

    id: str = Field(description="Now described", examples=["x"])
    size: int | None = Field(default=5)


class RicherPart(Part):
    weight: int = 0


class WithFieldsWithin(Old):
    part: RicherPart = RicherPart(name="p")
    parts: tuple[RicherPart, ...] = ()
    by_name: dict[str, RicherPart] = {}


class Relaxed(Old):
    id: str = ""


class Cat(Value):
    type: Literal["cat"] = "cat"


class Dog(Value):
    type: Literal["dog"]


class WithCat(Old):
    pet: Cat | None = None


class WithCatOrDog(Old):
    pet: Cat | Dog | None = None


def test_a_tagged_union_may_get_more_models_and_lose_none() -> None:
    assert breaking_changes(schema_of(WithCat), schema_of(WithCatOrDog)) == []
    assert breaking_changes(schema_of(WithCatOrDog), schema_of(WithCat))


@pytest.mark.parametrize("new", [Old, WithField, Described, WithFieldsWithin, Relaxed])
def test_additions_are_allowed(new: type[Event]) -> None:
    assert breaking_changes(schema_of(Old), schema_of(new)) == []


class Demanding(Old):
    new: str


class NoLongerOptional(Old):
    size: int | None


class OtherType(Old):
    id: int  # type: ignore[assignment]


class NeverNull(Old):
    size: int = 0


class Nullable(Old):
    limit: int | None = 0  # type: ignore[assignment]


class MoreColours(Old):
    colour: Literal["red", "blue", "green"] = "red"  # type: ignore[assignment]


class FewerColours(Old):
    colour: Literal["red"] = "red"


class Stricter(Old):
    limit: int = Field(default=0, ge=1)


class OtherPart(Value):
    title: str


class RenamedWithin(Old):
    part: OtherPart = OtherPart(title="p")  # type: ignore[assignment]


class RenamedInList(Old):
    parts: tuple[OtherPart, ...] = ()  # type: ignore[assignment]


class RenamedInMap(Old):
    by_name: dict[str, OtherPart] = {}  # type: ignore[assignment]


class ListToOne(Old):
    parts: Part | None = None  # type: ignore[assignment]


class OtherTopic(Old):
    TOPIC: ClassVar[str] = "cairn.other.events"


class OtherKey(Old):
    KEY: ClassVar[str] = "colour"


class Removed(Event):
    TYPE: ClassVar[str] = Old.TYPE
    TOPIC: ClassVar[str] = Old.TOPIC
    KEY: ClassVar[str] = "id"

    id: str


class Renamed(Removed):
    color: Literal["red", "blue"] = "red"
    size: int | None = None
    part: Part = Part(name="p")
    parts: tuple[Part, ...] = ()
    by_name: dict[str, Part] = {}
    limit: int = Field(default=0, ge=0)


@pytest.mark.parametrize(
    ("new", "told"),
    [
        (Demanding, "new: added as required"),
        (NoLongerOptional, "size: became required"),
        (OtherType, 'id: type "string" became "integer"'),
        (NeverNull, "size: "),
        (Nullable, "limit: "),
        (MoreColours, "colour: enum"),
        (FewerColours, "colour: "),
        (Stricter, "limit: minimum 0 became 1"),
        (RenamedWithin, "part.name: removed"),
        (RenamedInList, "parts[].name: removed"),
        (RenamedInMap, "by_name.*.name: removed"),
        (ListToOne, "parts: "),
        (OtherTopic, "message: x-topic"),
        (OtherKey, "message: x-key"),
        (Removed, "colour: removed"),
        (Renamed, "colour: removed"),
    ],
)
def test_everything_else_is_told(new: type[Event], told: str) -> None:
    changes = breaking_changes(schema_of(Old), schema_of(new))
    assert any(change.startswith(told) for change in changes), changes


def test_what_the_rules_allow_old_readers_can_read_and_the_other_way_round() -> None:
    """The rules agree with what the models really do."""

    def reads(reader: type[BaseModel], message: BaseModel) -> bool:
        return isinstance(reader.model_validate_json(message.model_dump_json(by_alias=True)), reader)

    old = Old.model_validate({"organization_id": "o", "id": "1", "parts": [{"name": "a"}]})
    for newer in (WithField, Described, WithFieldsWithin):
        assert reads(newer, old)
        assert reads(Old, newer.model_validate(old.model_dump()))
