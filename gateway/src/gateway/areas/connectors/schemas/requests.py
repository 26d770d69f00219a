"""Connectors, their storage, and integrations."""

from typing import Annotated, Any, Literal

from contracts.messages.assignment import AppKind, Temperature
from contracts.messages.connector.stores import Compression
from pydantic import BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from gateway.areas.connectors.preconditions import ConnectorRequest, GivenField
from gateway.http.body_fields import (
    LONGEST_AUDITED_TEXT,
    Body,
    Endpoints,
    HooksBody,
    Labels,
    LabelText,
    Line,
    MaybeId,
    Switch,
    Text,
    empty_is_none,
    none_is,
)
from gateway.http.examples import INTEGRATION, example

MOST_FIELDS = 200
MOST_SUBJECTS = 200
MaybeTemperature = Annotated[Temperature | None, empty_is_none(Temperature)]


def as_string(value: Any) -> Any:
    """The value, which must be a text where it is set; for a validator."""
    if value is not None and not isinstance(value, str):
        # Not converted: there is more than one way to write a number or a boolean as text.
        raise ValueError('must be a string; numbers and booleans are written as text, e.g. "9000" or "false"')
    return value


class Reference(Body):
    """Something named by its id."""

    id: str | None = None


class ResourceReference(Body):
    """A resource as connectors show it."""

    urn_id: str | None = None


# What `FieldBody._is_masked_or_given` checks, in the words of JSON Schema (0030).
_MASKED_OR_GIVEN: list[JsonValue] = [
    {"properties": {"masked": {"enum": [False, None]}}},
    {"properties": {"value": {"enum": ["", None]}, "provider": {"type": "null"}}},
]


class FieldBody(Body):
    """A configuration field: a literal value, or a reference into a secret provider."""

    model_config = ConfigDict(json_schema_extra={"anyOf": _MASKED_OR_GIVEN})

    value: Annotated[str | None, BeforeValidator(as_string)] = Field(default=None, description="Always a string")
    provider: Reference | None = Field(default=None, description="Absent: `value` is the literal value")
    masked: Switch = Field(
        default=False,
        description="As it is read by who may not see secrets. Sent back, without a value: what is kept stays as it is",
    )

    @model_validator(mode="after")
    def _is_masked_or_given(self) -> "FieldBody":
        if self.masked and (self.value or (self.provider and self.provider.id)):
            raise ValueError("masked stands for the value that is kept: send either that or a value")
        return self

    def given(self) -> GivenField | None:
        """The field; None when it is not set at all."""
        if self.masked:
            return GivenField("", masked=True)
        provider = self.provider.id if self.provider else None
        return None if self.value is None and not provider else GivenField(self.value or "", provider or None)


Fields = Annotated[dict[str, FieldBody | None], Field(max_length=MOST_FIELDS)]


_IS_STORE: dict[str, JsonValue] = {"required": ["type"], "properties": {"type": {"const": "store"}}}
_HAS_NO_HOOKS: dict[str, JsonValue] = {"properties": {"hooks": {"type": "null"}}}


def with_rules(*, needs_resource: bool, **shown: Any) -> ConfigDict:
    """An example, that one of two ways to name the resource is needed, and that stores have no hooks."""
    named: dict[str, JsonValue] = {"required": ["urn_id"], "properties": {"urn_id": {"type": "string", "minLength": 1}}}
    within: dict[str, JsonValue] = {"required": ["resource"], "properties": {"resource": {**named, "type": "object"}}}
    rules: dict[str, JsonValue] = {"if": _IS_STORE, "then": _HAS_NO_HOOKS}
    if needs_resource:
        rules["anyOf"] = [named, within]
    return ConfigDict(json_schema_extra={"examples": [shown], **rules})


EXAMPLE: dict[str, Any] = {
    "name": "nas",
    "type": "source",
    "protocol": "fs",
    "integration": {"id": INTEGRATION},
    "urn_id": "0198b1c2-0000-7000-8000-00000000000a",
    "fields": {"root": {"value": "/srv/files"}},
    "endpoints": [],
    "data_classes": ["documents"],
    "environment": "production",
    "temperature": "hot",
}


class ConnectorBody(Body):
    """What is said about a connector."""

    model_config = with_rules(needs_resource=True, **EXAMPLE)

    name: LabelText
    type: AppKind
    protocol: Text = Field(default="", description="Empty: the only one, else refused as ambiguous")
    integration: Reference | None = Field(default=None, description="Missing: chosen by the resource's class")
    urn_id: Text = Field(default="", description="The resource")
    # Reads show the resource like this, and clients send back what they read.
    resource: ResourceReference | None = Field(
        default=None, description="Read in place of `urn_id` when that is missing"
    )
    fields: Annotated[Fields, none_is({}, Fields)] = {}
    endpoints: Endpoints = Field(default=(), description="Empty: those of the resource")
    data_classes: Labels = ()
    environment: Line = ""
    temperature: MaybeTemperature = Field(default=None, description="Missing: `hot`")
    hooks: HooksBody | None = Field(
        default=None,
        description="Sources and destinations: what runs before and after their backups and restores, unless a task "
        "has `hooks` of its own",
    )

    @model_validator(mode="after")
    def _names_a_resource(self) -> "ConnectorBody":
        if not self._resource():
            raise ValueError("urn_id is missing: a connector needs a resource")
        return self

    def _resource(self) -> str:
        return self.urn_id or (self.resource.urn_id if self.resource else None) or ""

    def summary(self) -> dict[str, JsonValue]:
        """What the audit log holds of it."""
        return {"name": self.name[:LONGEST_AUDITED_TEXT], "type": self.type}

    def request(self) -> ConnectorRequest:
        """The body as the use cases take it."""
        fields = {name: field.given() for name, field in self.fields.items() if field}
        return ConnectorRequest(
            kind=self.type,
            name=self.name,
            urn_id=self._resource(),
            integration_id=(self.integration.id if self.integration else None) or None,
            protocol=self.protocol or None,
            fields={name: given for name, given in fields.items() if given},
            endpoints=tuple(e.endpoint for e in self.endpoints),
            data_classes=self.data_classes,
            environment=self.environment,
            temperature=self.temperature,
            hooks=self.hooks.kept() if self.hooks else None,
        )


# Clients name algorithms; the engine has one, with levels of effort (0025).
LEVELS: dict[str, Compression] = {"LZ4": "fastest", "GZIP": "auto", "ZSTD": "auto"}


class StoreCreation(Body):
    """How to create the storage behind a store."""

    model_config = example(compression="ZSTD", force=False)

    compression: Literal["GZIP", "LZ4", "ZSTD", ""] | None = Field(
        default=None,
        description="How much effort goes into compressing what is backed up into the store from now on. The algorithm "
        "is always Zstandard: `LZ4` asks for its fastest level, `GZIP` and `ZSTD` for the usual one; left out, it "
        "stays as it is. Data that is stored already stays as it was written",
    )
    force: Switch = Field(
        default=False,
        description="Where the store had other storage before: take what is there now, or create it anew. Restore "
        "points that are known of the store and are not in it are then forgotten",
    )
    chunker_of: MaybeId = Field(
        default=None,
        description="A store whose way of dividing files new storage takes over: what is copied between the two by a "
        "`sync` then shares what both hold. Without effect on storage that is there already",
    )

    def level(self) -> Compression | None:
        """The level of compression that is asked for."""
        return LEVELS.get(self.compression or "")


class StoreRefresh(Body):
    """How to have what is known of a store follow it."""

    model_config = example(rebuild=False, force=False)

    force: Switch = Field(
        default=False,
        description="Believe that all restore points were removed on purpose, where that cannot be distinguished from "
        "a loss (`snapshots_missing`)",
    )
    rebuild: Switch = Field(
        default=False, description="Read every restore point again, to replace what is kept of its directories"
    )


Subject = Annotated[str, Field(pattern=r"^self:[^\x00-\x20\x7f-\xa0]{1,200}$")]
Subjects = Annotated[tuple[Subject, ...], Field(max_length=MOST_SUBJECTS)]
MaybeSubjects = Annotated[Subjects, none_is((), Subjects)]


class ConnectorRoles(Body):
    """Who may do what with a connector, as older clients say it: each entry is `self:<user id>`."""

    model_config = example(can_read=["self:0198b1c2-0000-7000-8000-000000000002"], can_write=[])

    can_read: MaybeSubjects = ()
    can_execute: MaybeSubjects = ()
    can_write: MaybeSubjects = ()
    can_own: MaybeSubjects = ()

    def account_ids(self) -> dict[str, str]:
        """Who is named, by the place in the body."""
        lists: dict[str, tuple[str, ...]] = dict(self)
        return {
            f"{name}.{place}": subject.removeprefix("self:")
            for name, subjects in lists.items()
            for place, subject in enumerate(subjects)
        }
