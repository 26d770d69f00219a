"""The blocks in which requests and answers have the settings of inventories: made from the table of the types."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from chassis.texts import NOT_BLANK
from contracts.inventory_types import MANAGED, SETTINGS, InventoryType, Setting, block_of, required_settings
from pydantic import BeforeValidator, Field, GetCoreSchemaHandler, create_model
from pydantic_core import CoreSchema

from gateway.areas.connectors.preconditions import GivenField
from gateway.areas.connectors.schemas.answers import FieldView, field_view
from gateway.areas.connectors.schemas.requests import FieldBody, as_string
from gateway.http.answers import Absent, View
from gateway.http.body_fields import LONGEST_LABEL, Body, text
from gateway.http.openapi import Json


class BlockBody(Body):
    """The settings of one type, as a client sends them."""

    def given(self) -> dict[str, GivenField]:
        """Those that are set, as the use cases take them."""
        sent = ((name, _given(value)) for name, value in self.__dict__.items())
        return {name: given for name, given in sent if given is not None}


class BlockView(View):
    """The settings of one type, as a client reads them back: those that were sent."""


@dataclass(frozen=True)
class BodyOf:
    """Reads a block by the settings of its type."""

    kind: InventoryType

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The schema of the model of the type, in place of that of `BlockBody`."""
        return handler.generate_schema(BODIES[self.kind] | None)


@dataclass(frozen=True)
class ViewOf:
    """Shows a block by the settings of its type."""

    kind: InventoryType

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The schema of the model of the type, in place of that of `BlockView`."""
        return handler.generate_schema(_VIEWS[self.kind] | None)


def block_view(kind: InventoryType, settings: Mapping[str, GivenField]) -> BlockView:
    """The block of a type as its client reads it back."""
    texts = {setting.name for setting in SETTINGS[kind] if setting.is_text}
    return _VIEWS[kind].model_validate(
        {name: given.value if name in texts else field_view(given) for name, given in settings.items()}
    )


def alternatives(kind: InventoryType, **more: Json) -> Iterator[Json]:
    """What a body must have for a type, in the words of JSON Schema (0030): one of these. `more`: other properties."""
    # A setting that others depend on is one of a few values: an alternative for each says it without conditions, which
    # few tools understand.
    decisive = {setting.required_with[0] for setting in SETTINGS[kind] if setting.required_with}
    choices = [(s.name, choice) for s in SETTINGS[kind] if s.name in decisive for choice in s.choices]
    for texts in [{name: choice} for name, choice in choices] or [dict[str, str]()]:
        settings = {s.name: _filled(s) for s in required_settings(kind, texts)}
        settings |= {name: {"const": choice} for name, choice in texts.items()}
        block: Json = {"type": "object", "required": sorted(settings), "properties": settings}
        # A type that requires nothing needs no block.
        yield (
            {"required": [block_of(kind)], "properties": more | {block_of(kind): block}}
            if settings
            else {"properties": more}
        )


def example_of(kind: InventoryType) -> Json:
    """The block of a type as a client may send it, and reads it back."""
    return {s.name: s.example if s.is_text else {"value": s.example} for s in SETTINGS[kind]}


def _given(value: FieldBody | str | None) -> GivenField | None:
    if isinstance(value, FieldBody):
        return value.given()
    return None if value is None else GivenField(value)


def _filled(setting: Setting) -> Json:
    """A setting that is there, and not empty."""
    if setting.is_text:
        return {"type": "string", "pattern": NOT_BLANK}
    value: Json = {"required": ["value"], "properties": {"value": {"type": "string", "minLength": 1}}}
    kept: Json = {"required": ["masked"], "properties": {"masked": {"const": True}}}
    named: Json = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string", "minLength": 1}}}
    return {"type": "object", "anyOf": [value, kept, {"required": ["provider"], "properties": {"provider": named}}]}


def _in_body(setting: Setting) -> Any:
    kind: Any = FieldBody
    if setting.choices:
        # An optional one that is not set may be sent as an empty text.
        kind = Literal[*setting.choices] if setting.required else Literal[*setting.choices, ""]
    elif setting.is_text:
        kind = Annotated[str, text(LONGEST_LABEL, empty=True)]
    kind = Annotated[kind | None, BeforeValidator(as_string)] if setting.is_text else kind | None
    return kind, Field(default=None, description=_about(setting))


def _in_view(setting: Setting) -> Any:
    kind: Any = str if setting.is_text else FieldView
    return kind | None, Absent


def _about(setting: Setting) -> str:
    if setting.required_with:
        return f"{setting.about}. Required where `{setting.required_with[0]}` is `{setting.required_with[1]}`"
    return f"{setting.about}. Required" if setting.required else setting.about


BODIES: Mapping[InventoryType, type[BlockBody]] = {
    kind: create_model(
        f"{kind.capitalize()}Configuration",
        __base__=BlockBody,
        __doc__=f"How the provider of an inventory of type `{kind}` is reached.",
        **{setting.name: _in_body(setting) for setting in SETTINGS[kind]},
    )
    for kind in MANAGED
}
_VIEWS: Mapping[InventoryType, type[BlockView]] = {
    kind: create_model(
        f"{kind.capitalize()}ConfigurationView",
        __base__=BlockView,
        __doc__=f"How the provider of an inventory of type `{kind}` is reached: the settings that were sent.",
        **{setting.name: _in_view(setting) for setting in SETTINGS[kind]},
    )
    for kind in MANAGED
}
