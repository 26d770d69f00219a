"""What the assignment service is asked while a connector is being made, and what it answers."""

from typing import Literal

from pydantic import Field, JsonValue

from contracts.messages.assignment import AppDescription, AppKind
from contracts.messages.catalog import Resource
from contracts.messages.connector.offers import Integration, Match
from contracts.messages.outcomes import FieldProblem, Problem
from contracts.queries.assignment import ReachableApp
from contracts.values import AppId, IntegrationId, Value

MatchCode = Literal[
    "subclass_matches",
    "class_matches",
    "kind_offered",
    "class_differs",
    "subclass_differs",
    "gone",
    "not_installed",
    "kind_not_offered",
]
OriginKind = Literal["default", "endpoint", "tag", "resource", "bundle", "generated"]


class CompatibilityQuestion(Value):
    """Which integrations can a connector of a kind be made with?"""

    kind: AppKind
    resource: Resource | None = Field(default=None, description="None: of any resource")
    name: str = Field(default="", description="A part of the integration's name or title; empty: all")


class Compatibility(Value):
    """Whether an integration can be used, and why."""

    integration: Integration
    code: MatchCode
    reason: str = Field(description="The same as a sentence for a person")
    match: Match | None = Field(default=None, description="What its manifest says of the resource's class")
    made_for: bool = Field(description="Whether the match names the subclass of the resource, too")
    protocols: tuple[str, ...] = Field(description="Names of its protocols that a connector of the kind can have")


class CompatibleIntegrations(Value):
    """The integrations for a resource and a kind."""

    items: tuple[Compatibility, ...] = Field(description="Those that can be used, those made for the resource first")
    near_misses: tuple[Compatibility, ...] = Field(description="Those that one might expect among them")
    chosen: IntegrationId | None = Field(description="What a connector gets that names no integration, if it gets one")
    reason: str | None = Field(
        default=None, description="Why there are neither of both, as a sentence for a person; None: there are some"
    )


class FieldCondition(Value):
    """When a field matters: another one has one of these values."""

    field: str
    values: tuple[str, ...] = Field(description="Empty text: where the other field is left out, too")


class FieldDescriptor(Value):
    """A field of a form, in the words of who draws it."""

    name: str
    display_name: str
    description: str = ""
    type: str = Field(description="`text`, `secret`, `switch`, `port`, `path` or `choice`; every value is a string")
    required: bool
    sensitive: bool
    default: str | None = None
    enum: tuple[str, ...] = ()
    pattern: str | None = None
    examples: tuple[str, ...] = ()
    inventory_value: str | None = Field(default=None, description="Proposed from what is known of the resource")
    when: FieldCondition | None = Field(default=None, description="None: always")


class Origin(Value):
    """Where a value comes from that nobody typed."""

    kind: OriginKind
    id: str | None = Field(default=None, description="Of the bundle")
    name: str = Field(default="", description="Of the bundle; the tag; the endpoint")


class PrefilledField(Value):
    """A value for a configuration field. A secret one is there, and is not shown."""

    value: str | None
    provider_id: str | None = None
    masked: bool = False
    origin: Origin


class PrefilledText(Value):
    """A value for something else that a connector has."""

    value: str
    origin: Origin


class PrefilledTexts(Value):
    """Values for a list that a connector has."""

    values: tuple[str, ...]
    origin: Origin


class ProtocolForm(Value):
    """A protocol, and the form of its fields."""

    name: str
    title: str
    form: dict[str, JsonValue] = Field(description="JSON Schema 2020-12")
    fields: tuple[FieldDescriptor, ...] = Field(description="The same fields in their order")


class FormQuestion(Value):
    """What does a person fill in for a connector of a kind?"""

    kind: AppKind
    integration_id: IntegrationId
    resource: Resource | None = Field(default=None, description="None: of any resource")
    protocol: str | None = Field(default=None, description="None: chosen as for a connector that names none")
    environment: str | None = Field(default=None, description="None: that of the resource's tags")


class Form(Value):
    """What a person fills in."""

    integration: Integration
    kind: AppKind
    protocols: tuple[ProtocolForm, ...]
    protocol: str | None = Field(description="The one that is chosen; None: a person has to choose")
    fields: dict[str, PrefilledField] = Field(default={}, description="Of the protocol that is chosen")
    environment: PrefilledText | None = None
    data_classes: PrefilledTexts | None = None
    endpoints: PrefilledTexts | None = None
    names: tuple[PrefilledText, ...] = Field(default=(), description="Suggestions, the best first")
    faults: tuple[FieldProblem, ...] = Field(
        default=(), description="What bundles give that cannot be used: a person has to fill that in"
    )
    complete: bool = Field(default=False, description="Whether these values fill all that is required")


class DraftQuestion(Value):
    """What would become of a description of an app? Nothing of it is kept."""

    app_id: AppId = Field(description="What its secrets are sealed for: the app that would be changed, if any")
    replaces: bool = Field(description="Whether that app is there and would be changed")
    description: AppDescription
    resource: Resource | None = Field(default=None, description="None: it is not named yet, which is a fault")


class Draft(Value):
    """What would become of it."""

    problem: Problem | None = Field(default=None, description="What it would be refused with, all faults at once")
    lacking: tuple[FieldProblem, ...] = Field(default=(), description="What is required and not there")
    integration_id: IntegrationId | None = None
    integration_name: str | None = None
    protocol: str | None = None
    filled: dict[str, PrefilledField] = Field(default={}, description="Fields that a bundle would fill")
    app: ReachableApp | None = Field(default=None, description="The app that it would be; None where it is refused")
