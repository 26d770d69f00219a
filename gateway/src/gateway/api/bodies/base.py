"""What all request bodies share."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict


def none_is(empty: Any) -> BeforeValidator:
    """Read null as an empty value."""
    return BeforeValidator(lambda value: empty if value is None else value)


def example(**shown: Any) -> ConfigDict:
    """The configuration of a body with an example."""
    return ConfigDict(json_schema_extra={"examples": [shown]})


Text = Annotated[str, none_is("")]
Texts = Annotated[tuple[str, ...], none_is(())]
EmptyIsNone = BeforeValidator(lambda value: value or None)


class Body(BaseModel):
    """Base of all request bodies."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class EndpointBody(Body):
    """An address."""

    endpoint: str


Endpoints = Annotated[tuple[EndpointBody, ...], none_is(())]
