"""What is wrong with a request is said in our words, whatever the library would say."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import pytest
from chassis.http.validation_words import in_words
from contracts.point_filters import Words
from contracts.prune_rules import Count
from contracts.task_types.restore import RestoreOptions
from pydantic import Field, TypeAdapter, ValidationError

SAID: list[tuple[Any, Any, str]] = [
    (RestoreOptions, {"labels": 1}, "must be a list"),
    (RestoreOptions, {"locate": 1}, "must be an object"),
    (RestoreOptions, 1, "must be an object"),
    (RestoreOptions, {"root": "/a"}, "must be a folder below the destination's root, so without a slash"),
    (RestoreOptions, {"dry_run": "yes"}, "must be true or false"),
    (RestoreOptions, {"overwrite": "x"}, "must be 'always', 'if_changed', 'if_newer' or 'never'"),
    (RestoreOptions, {"before": "x"}, "must be a number"),
    (RestoreOptions, {"snapshot_id": 1}, "must be a text"),
    (Words, ["a"] * 201, "has 201 items, at most 200 are allowed"),
    (Annotated[list[int], Field(max_length=1)], [1, 2], "has 2 items, at most 1 is allowed"),
    (Annotated[list[int], Field(min_length=1)], [], "has 0 items, at least 1 is needed"),
    (Annotated[dict[str, int], Field(max_length=1)], {"a": 1, "b": 2}, "has too many items, at most 1 is allowed"),
    (Annotated[str, Field(max_length=3)], "abcd", "is longer than 3 characters"),
    (Annotated[str, Field(min_length=1)], "", "must not be empty"),
    (Annotated[str, Field(min_length=2)], "a", "is shorter than 2 characters"),
    (Annotated[str, Field(pattern="^a$")], "b", "must match the pattern ^a$"),
    (int, "one", "must be a whole number"),
    (int, 1.5, "must be a whole number"),
    (Annotated[int, Field(strict=True)], "1", "must be a whole number"),
    (Annotated[int, Field(ge=1, le=5)], 0, "must be at least 1"),
    (Annotated[int, Field(ge=1, le=5)], 6, "must be at most 5"),
    (Annotated[float, Field(gt=0, le=100)], 101, "must be at most 100"),
    (Annotated[float, Field(gt=0, le=100)], 0, "must be more than 0"),
    (Annotated[float, Field(ge=0.5)], 0.1, "must be at least 0.5"),
    (Annotated[float, Field(le=10_000_000)], 1e9, "must be at most 10000000"),
    (Count, -1, "must be at least 0"),
    (datetime, "soon", "must be a time as RFC 3339 has them"),
    (Literal["a"], "b", "must be 'a'"),
    (None, 1, "must be null"),
]


def first_error(kind: Any, value: Any) -> Mapping[str, Any]:
    with pytest.raises(ValidationError) as raised:
        TypeAdapter(kind).validate_python(value)
    return dict(raised.value.errors()[0])


@pytest.mark.parametrize(("kind", "value", "words"), SAID)
def test_a_fault_is_said_in_our_words(kind: Any, value: Any, words: str) -> None:
    said = in_words(first_error(kind, value))
    assert said.startswith(words)
    assert not said.endswith(".0")
    for foreign in ("Input", "Value error", "valid ", "tuple", "dictionary", "integer", "parse"):
        assert foreign not in said


def test_an_unknown_kind_of_fault_is_no_text_of_the_library() -> None:
    assert (
        in_words({"type": "brand_new", "loc": ("body",), "msg": "Input should be"})
        == "does not have the form it should"
    )
    assert in_words({"type": "literal_error", "loc": ("body",)}) == "does not have the form it should"


@pytest.mark.parametrize(
    "moment", ["2026-11-28T17:30:00 02:00", "2026-11-28t17:30:00.5 0200", "2026-11-28T17:30 02:00"]
)
def test_a_plus_that_the_query_took_for_a_space_is_named(moment: str) -> None:
    error = dict(first_error(datetime, moment))
    assert "written %2B" in in_words(error | {"loc": ("query", "since")})
    assert "%2B" not in in_words(error | {"loc": ("body", "since")})
    assert "%2B" not in in_words(error | {"loc": ("query", "since"), "input": "soon"})
