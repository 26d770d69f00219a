"""What JSON says in more than one way, read as one. `kind`: what else may come, for the schema."""

from typing import Any, Literal

from pydantic import BeforeValidator


def none_is(empty: object, kind: Any) -> BeforeValidator:
    """Read null, which clients send for what is not set, as a value."""
    return BeforeValidator(lambda value: empty if value is None else value, json_schema_input_type=kind | None)


def blank_is_none(kind: Any) -> BeforeValidator:
    """Read an empty text as null."""
    return BeforeValidator(
        lambda value: None if value == "" else value, json_schema_input_type=kind | Literal[""] | None
    )


def whole_number(kind: Any) -> BeforeValidator:
    """Read 5.0 as the integer that it is: JSON has numbers, and no integers beside them."""
    return BeforeValidator(as_whole, json_schema_input_type=kind)


def as_whole(value: object) -> object:
    """A float without a fraction as an integer; all else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
