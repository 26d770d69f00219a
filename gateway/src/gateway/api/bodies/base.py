"""What all request bodies share."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool

LONGEST_ID = 200
MOST_CHARACTERS_TOLD = 255
"""Of a text in the audit log."""


def none_is(empty: Any, kind: Any) -> BeforeValidator:
    """Read null as an empty value; `kind`: what else may come, for the description."""
    return BeforeValidator(lambda value: empty if value is None else value, json_schema_input_type=kind | None)


def empty_is_none(kind: Any) -> BeforeValidator:
    """Read an empty text as null; `kind`: what else may come, for the description."""
    return BeforeValidator(
        lambda value: None if value == "" else value, json_schema_input_type=kind | Literal[""] | None
    )


def example(**shown: Any) -> ConfigDict:
    """The configuration of a body with an example."""
    return ConfigDict(json_schema_extra={"examples": [shown]})


Text = Annotated[str, none_is("", str)]
Texts = Annotated[tuple[str, ...], none_is((), tuple[str, ...])]
Switch = Annotated[StrictBool, none_is(False, bool)]
Id = Annotated[str, Field(min_length=1, max_length=LONGEST_ID)]
"""The id of something that must be there."""
MaybeId = Annotated[Id | None, empty_is_none(Id)]


class Body(BaseModel):
    """Base of all request bodies."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class EndpointBody(Body):
    """An address."""

    endpoint: str


Endpoints = Annotated[tuple[EndpointBody, ...], none_is((), tuple[EndpointBody, ...])]
