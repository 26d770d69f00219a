"""What all request bodies share."""

from typing import Annotated, Any, Literal, Self

from chassis.texts import NOT_BLANK, PRINTABLE, is_storable
from contracts.hooks import ON_FAILURE, TIMEOUT, USUAL_SECONDS, Hooks, HookSeconds, OnFailure
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, model_validator

LONGEST_ID = 200
LONGEST_AUDITED_TEXT = 255
"""Of a text in the audit log."""
LONGEST_LABEL, MOST_LABELS, MOST_ENDPOINTS = 255, 200, 100


def none_is(empty: Any, kind: Any) -> BeforeValidator:
    """Read null as an empty value; `kind`: what else may come, for the description."""
    # Clients send null for optional lists and texts.
    return BeforeValidator(lambda value: empty if value is None else value, json_schema_input_type=kind | None)


def empty_is_none(kind: Any) -> BeforeValidator:
    """Read an empty text as null; `kind`: what else may come, for the description."""
    return BeforeValidator(
        lambda value: None if value == "" else value, json_schema_input_type=kind | Literal[""] | None
    )


def text(longest: int, *, empty: bool = False) -> Any:
    """What the document says of a text that the services check by `chassis.texts.fault_of`."""
    # Not checked here: the owner checks all fields together and names each fault, and two places would differ (0030).
    extra: dict[str, Any] = {"maxLength": longest, "pattern": PRINTABLE if empty else NOT_BLANK}
    return Field(json_schema_extra=extra)


Text = Annotated[str, none_is("", str)]
LabelText = Annotated[str, text(LONGEST_LABEL)]
MaybeBlank = Annotated[str, text(LONGEST_LABEL, empty=True)]
Line = Annotated[MaybeBlank, none_is("", MaybeBlank)]
LabelTexts = Annotated[tuple[LabelText, ...], Field(json_schema_extra={"maxItems": MOST_LABELS})]
Labels = Annotated[LabelTexts, none_is((), LabelTexts)]
Switch = Annotated[StrictBool, none_is(False, bool)]
Id = Annotated[str, Field(min_length=1, max_length=LONGEST_ID)]
"""The id of something that must be there."""
MaybeId = Annotated[Id | None, empty_is_none(Id)]


class Body(BaseModel):
    """Base of all request bodies."""

    # Clients read an object, change it and send all of it back, also what only reads show.
    model_config = ConfigDict(frozen=True, extra="ignore")

    @model_validator(mode="after")
    def _can_be_kept(self) -> Self:
        """No database keeps a NUL; what is ignored may hold anything."""
        if not all(_is_storable(value) for value in self.__dict__.values()):
            raise ValueError("a text holds a NUL character")
        return self


class EndpointBody(Body):
    """An address."""

    endpoint: LabelText


class HooksBody(Hooks):
    """What runs before and after a backup or a restore: names of files in the directory of the worker's operator."""

    on_failure: Annotated[OnFailure, none_is("fail", OnFailure)] = Field(default="fail", description=ON_FAILURE)
    timeout_seconds: Annotated[HookSeconds, none_is(USUAL_SECONDS, HookSeconds)] = Field(
        default=USUAL_SECONDS, description=TIMEOUT
    )

    def kept(self) -> Hooks:
        """As they are kept and sent."""
        return Hooks.model_validate(self.model_dump())


EndpointBodies = Annotated[tuple[EndpointBody, ...], Field(json_schema_extra={"maxItems": MOST_ENDPOINTS})]
Endpoints = Annotated[EndpointBodies, none_is((), EndpointBodies)]


def _is_storable(value: object) -> bool:
    if isinstance(value, BaseModel):
        # Also what is no body: an option that has parts is one of the contracts.
        return all(map(_is_storable, value.__dict__.values()))
    if isinstance(value, str):
        return is_storable(value)
    if isinstance(value, dict):
        return all(map(_is_storable, value.keys())) and all(map(_is_storable, value.values()))
    return all(map(_is_storable, value)) if isinstance(value, tuple) else True
