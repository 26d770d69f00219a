"""Commands to and events of the assignment service: apps and how they are reached."""

from typing import ClassVar, Literal

from pydantic import Field

from contracts import topics
from contracts.field_values import FieldValue
from contracts.hooks import Hooks
from contracts.messages.base import Command, Event
from contracts.messages.catalog import Resource
from contracts.messages.outcomes import FieldProblem
from contracts.values import AppId, IntegrationId, Value

AppKind = Literal["source", "store", "destination"]
Temperature = Literal["hot", "cold"]
_EXPECTED = "Refused when the app is in another revision; None: whichever it is in"


class AppDescription(Value):
    """What a user says about an app."""

    kind: AppKind = Field(description="What the resource is put to use as")
    name: str = Field(description="Display name, not empty")
    integration_id: IntegrationId | None = Field(default=None, description="None: chosen by class and subclass")
    protocol: str | None = Field(default=None, description="None: chosen when the integration offers just one")
    fields: dict[str, FieldValue] = Field(default={}, description="Configuration, by field name")
    endpoints: tuple[str, ...] = Field(default=(), description="Addresses; empty: those of the resource")
    data_classes: tuple[str, ...] = Field(default=(), description="Labels policies select on, in the order given")
    environment: str = Field(default="", description="Label policies select on, e.g. `production`")
    temperature: Temperature | None = Field(default=None, description="None: `hot`")
    hooks: Hooks | None = Field(
        default=None, description="Sources and destinations only: what runs before and after their backups and restores"
    )


class IntegrationName(Value):
    """Which integration, in the version that was installed when it was chosen."""

    id: IntegrationId = Field(description="Fixed: part of the integration's manifest")
    name: str = Field(description="Short name, e.g. `s3`")
    version: str = Field(description="Version of the manifest, e.g. `1.0.0`")


class App(Value):
    """A resource put to use as source, store or destination. The HTTP API calls it a connector."""

    id: AppId = Field(description="The handle `connector_id` of the HTTP API")
    kind: AppKind = Field(description="Fixed when the app is assigned")
    name: str = Field(description="Display name")
    integration: IntegrationName = Field(description="Which integration reaches the resource")
    protocol: str = Field(description="Name of the integration's protocol that is used")
    resource: Resource = Field(description="The resource as it was when the app was last assigned or reconfigured")
    fields: dict[str, FieldValue] = Field(description="Configuration, by field name")
    endpoints: tuple[str, ...] = Field(description="Where the app answers, most preferred first")
    endpoints_from_resource: bool = Field(
        default=False, description="True when the user gave no endpoints: `endpoints` are then those of the resource"
    )
    data_classes: tuple[str, ...] = Field(description="Labels policies select on, in the order given")
    environment: str = Field(description="Label policies select on, e.g. `production`")
    temperature: Temperature = Field(description="How quickly what is stored must be at hand")
    hooks: Hooks | None = Field(
        default=None, description="What runs before and after its backups and restores, unless a task has its own"
    )
    lacking: tuple[FieldProblem, ...] = Field(
        default=(), description="What is required and not there yet: until it is, nothing can be done with the app"
    )
    label_revision: int = Field(
        default=0, description="Up to which revision of the organization's lists renamed labels were applied"
    )
    revision: int = Field(description="Grows by one with each change")
    resealed_in: int = Field(
        default=0, description="Last revision that only brought its secrets under other keys; 0: there was none"
    )
    same_since: int = Field(
        default=0, description="From which revision on, up to `resealed_in`, nothing but its keys was changed"
    )

    @property
    def changed_in(self) -> int:
        """The last revision that changed more than the keys of its secrets."""
        return self.same_since if self.resealed_in == self.revision else self.revision

    def has_already(self, *, kind: AppKind, resource_id: str, integration_id: str | None, protocol: str | None) -> bool:
        """Whether a description that names these leaves the app with what it was put to use with."""
        has = (self.kind, self.resource.id, self.integration.id, self.protocol)
        return has == (kind, resource_id, integration_id, protocol)

    @property
    def lacking_in_words(self) -> str:
        """What is missing, in a sentence without its end."""
        words = "; ".join(f"{lack.field.removeprefix('fields.')} {lack.detail}" for lack in self.lacking)
        return f"The {self.kind} {self.name!r} is incomplete: {words}"


class AppRef(Value):
    """An app in a certain revision; whoever uses it waits until it knows that revision or a later one."""

    id: AppId = Field(description="The app")
    revision: int = Field(description="Revision that the sender knew")
    kind: AppKind = Field(description="Kind of the app")
    name: str = Field(description="Display name at that revision")


class AppCommand(Command):
    """Keyed by app."""

    TOPIC: ClassVar[str] = topics.ASSIGNMENT_COMMANDS
    KEY: ClassVar[str] = "app_id"

    app_id: AppId = Field(description="Chosen by the sender for a new app; secrets are sealed for it")


class AssignApp(AppCommand):
    """Put a resource to use; bundles fill the fields that are not given. Result: `{"id", "revision"}`.

    Refused: `integration_not_found`, `integration_not_installed`, `integration_gone`, `integration_incompatible`,
    `integration_ambiguous`, `protocol_not_found`, `protocol_ambiguous`, `kind_not_offered`, `nothing_masked`,
    `bundles_tie`, `configuration_invalid` and `app_invalid` (with the fields at fault); the last one also where there
    are faults of several of these kinds.
    """

    TYPE: ClassVar[str] = "cairn.assignment.app.assign.v1"

    description: AppDescription = Field(description="What the user says about the app")
    resource: Resource = Field(description="The resource as the catalog describes it now")


class ReconfigureApp(AppCommand):
    """Replace what is said about an app; it stays in its revision where that is what is said already.

    Refused like `AssignApp`, and: `app_not_found`, `app_kind_fixed`, `revision_changed`.
    """

    TYPE: ClassVar[str] = "cairn.assignment.app.reconfigure.v1"

    description: AppDescription = Field(description="What the user says about the app now")
    resource: Resource = Field(
        description="The resource as the catalog describes it now; one that is gone as the app had it last"
    )
    expected_revision: int | None = Field(default=None, description=_EXPECTED)


class RemoveApp(AppCommand):
    """Take an app out of use; stored data is not touched. Refused: `app_not_found`, `revision_changed`."""

    TYPE: ClassVar[str] = "cairn.assignment.app.remove.v1"

    expected_revision: int | None = Field(default=None, description=_EXPECTED)


# On the topic of commands, because the order within one app matters: it is handled between the commands for that app.
class AppResourceChanged(Event):
    """The resource of an app changed. The assignment service tells itself, to act on it in the app's own order."""

    TYPE: ClassVar[str] = "cairn.assignment.app.resource-changed.v1"
    TOPIC: ClassVar[str] = topics.ASSIGNMENT_COMMANDS
    KEY: ClassVar[str] = "app_id"

    app_id: AppId = Field(description="The app")


class AppAssigned(Event):
    """A resource was put to use."""

    TYPE: ClassVar[str] = "cairn.assignment.app.assigned.v1"
    TOPIC: ClassVar[str] = topics.ASSIGNMENT_EVENTS
    KEY: ClassVar[str] = "app_id"

    app_id: AppId = Field(description="The app")
    app: App = Field(description="The app as it is now")


class AppReconfigured(AppAssigned):
    """An app is configured anew."""

    TYPE: ClassVar[str] = "cairn.assignment.app.reconfigured.v1"


class AppRemoved(Event):
    """An app is out of use."""

    TYPE: ClassVar[str] = "cairn.assignment.app.removed.v1"
    TOPIC: ClassVar[str] = topics.ASSIGNMENT_EVENTS
    KEY: ClassVar[str] = "app_id"

    app_id: AppId = Field(description="The app")
    # A removal has a revision of its own, so that readers can tell it from an older change that arrives late.
    revision: int = Field(description="Revision of the removal: later than any seen before")
