"""Commands to and events of the assignment service about bundles: values for the fields of many apps."""

from typing import ClassVar

from pydantic import Field

from contracts import topics
from contracts.field_values import FieldValue
from contracts.messages.base import Command, Event
from contracts.messages.classification import LabelRename
from contracts.values import AppId, BundleId, IntegrationId, InventoryId, Moment, Value


class BundleDescription(Value):
    """What a user says about a bundle. An app must meet all conditions; one that is empty is met by all."""

    name: str = Field(description="Display name, not empty")
    environment: str = Field(default="", description="Environment of the app")
    resource_classes: tuple[str, ...] = Field(default=(), description="Class of its resource: one of these")
    resource_subclasses: tuple[str, ...] = Field(
        default=(), description="Subclass of its resource: one of these; only with classes"
    )
    tags: tuple[str, ...] = Field(default=(), description="Tags of its resource: all of these, in the order given")
    integration_id: IntegrationId | None = Field(default=None, description="Integration of the app; None: any")
    fields: dict[str, FieldValue] = Field(default={}, description="Values by field name; secrets sealed for the bundle")


class Bundle(BundleDescription):
    """Values that fill the fields of apps within a scope."""

    id: BundleId = Field(description="Chosen by whoever asked for the bundle; its secrets are sealed for it")
    inventory_id: InventoryId | None = Field(
        default=None, description="For the resources of this inventory; None: for those of the organization"
    )
    revision: int = Field(description="Grows by one with each change")
    updated_at: Moment = Field(description="When it was last changed")
    label_revision: int = Field(default=0, description="Up to which revision of the lists its environment is renamed")


# Keyed by organization: whether two bundles contradict each other is decided about all of them, one change at a time.
class BundleCommand(Command):
    """Keyed by organization, so that one consumer sees all changes of its bundles in order."""

    TOPIC: ClassVar[str] = topics.ASSIGNMENT_COMMANDS
    KEY: ClassVar[str] = "organization_id"

    bundle_id: BundleId = Field(description="The bundle; chosen by the sender for a new one")


class CreateBundle(BundleCommand):
    """Create a bundle. Result: `{"id", "revision"}`.

    Refused: `bundle_exists`, `inventory_not_found`, `bundle_invalid` (with the fields at fault), `nothing_masked`,
    `bundles_tie` (another bundle gives a field another value, and neither goes first).
    """

    TYPE: ClassVar[str] = "cairn.assignment.bundle.create.v1"

    inventory_id: InventoryId | None = Field(default=None, description="None: a bundle of the organization")
    description: BundleDescription = Field(description="What the user says about the bundle")


class ChangeBundle(BundleCommand):
    """Replace what is said about a bundle; where it belongs is fixed.

    Result and refusals as of `CreateBundle`, and: `bundle_not_found`, `revision_changed`.
    """

    TYPE: ClassVar[str] = "cairn.assignment.bundle.change.v1"

    description: BundleDescription = Field(description="What the user says about the bundle now")
    expected_revision: int | None = Field(default=None, description="Refused when it has another one by then")


class RemoveBundle(BundleCommand):
    """Remove a bundle; apps lose what came from it. Refused: `bundle_not_found`, `revision_changed`."""

    TYPE: ClassVar[str] = "cairn.assignment.bundle.remove.v1"

    expected_revision: int | None = Field(default=None, description="Refused when it has another one by then")


class BundleCreated(Event):
    """A bundle exists."""

    TYPE: ClassVar[str] = "cairn.assignment.bundle.created.v1"
    TOPIC: ClassVar[str] = topics.ASSIGNMENT_EVENTS
    KEY: ClassVar[str] = "bundle_id"

    bundle_id: BundleId = Field(description="The bundle")
    bundle: Bundle = Field(description="The bundle as it is now")


class BundleChanged(BundleCreated):
    """A bundle is described anew."""

    TYPE: ClassVar[str] = "cairn.assignment.bundle.changed.v1"


class BundleRemoved(Event):
    """A bundle is gone."""

    TYPE: ClassVar[str] = "cairn.assignment.bundle.removed.v1"
    TOPIC: ClassVar[str] = topics.ASSIGNMENT_EVENTS
    KEY: ClassVar[str] = "bundle_id"

    bundle_id: BundleId = Field(description="The bundle")
    revision: int = Field(description="Revision of the removal: later than any seen before")


# On the topic of commands, as they are handled between the commands about the bundles of an organization.
class BundlesChanged(Event):
    """What bundles give changed. The assignment service tells itself, to find the apps that are to follow."""

    TYPE: ClassVar[str] = "cairn.assignment.bundles.changed.v1"
    TOPIC: ClassVar[str] = topics.ASSIGNMENT_COMMANDS
    KEY: ClassVar[str] = "organization_id"


class BundleInventoryRemoved(Event):
    """An inventory is gone. The assignment service tells itself, to remove the bundles that belonged to it."""

    TYPE: ClassVar[str] = "cairn.assignment.bundles.inventory-removed.v1"
    TOPIC: ClassVar[str] = topics.ASSIGNMENT_COMMANDS
    KEY: ClassVar[str] = "organization_id"

    inventory_id: InventoryId = Field(description="The inventory")


class BundlesLabelRenamed(Event):
    """An environment that bundles are for was renamed. The assignment service tells itself, to rename it in them."""

    TYPE: ClassVar[str] = "cairn.assignment.bundles.label-renamed.v1"
    TOPIC: ClassVar[str] = topics.ASSIGNMENT_COMMANDS
    KEY: ClassVar[str] = "organization_id"

    rename: LabelRename = Field(description="What was renamed")


class AppBundlesChanged(Event):
    """What bundles give to an app may have changed. The assignment service tells itself, in the app's order."""

    TYPE: ClassVar[str] = "cairn.assignment.app.bundles-changed.v1"
    TOPIC: ClassVar[str] = topics.ASSIGNMENT_COMMANDS
    KEY: ClassVar[str] = "app_id"

    app_id: AppId = Field(description="The app")
