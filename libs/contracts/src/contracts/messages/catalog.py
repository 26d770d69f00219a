"""Commands to and events of the catalog: inventories and the resources in them."""

from typing import ClassVar, Literal

from pydantic import Field

from contracts import topics
from contracts.field_values import FieldValue
from contracts.inventory_types import InventoryType
from contracts.messages.base import Command, Event
from contracts.values import InventoryId, ResourceId, Value

EndpointKind = Literal["host", "inet4", "inet6"]


class Endpoint(Value):
    """An address under which a resource answers."""

    endpoint: str = Field(description="Host name or IP address, a port may follow after a colon; or an identifier")
    kind: EndpointKind = Field(description="Derived by the catalog from the address")
    # Not a value of `kind` more: readers of the version before know three, and would refuse a fourth.
    is_identifier: bool = Field(
        default=False, description="True: a path or an id that a provider knows, no address; `kind` then is `host`"
    )

    @property
    def shown_kind(self) -> str:
        """The kind as users read it."""
        return "identifier" if self.is_identifier else self.kind


class ResourceDescription(Value):
    """What a person or a provider says about a resource."""

    urn: str = Field(description="Name that is unique in its inventory and never changes")
    name: str = Field(description="Display name")
    class_: str = Field(alias="class", description="e.g. `file-storage`, `object-storage`; open-ended")
    subclass: str = Field(default="", description="e.g. `posix`, `s3`; open-ended")
    service: str = Field(default="", description="Free text: the service the resource belongs to")
    endpoints: tuple[str, ...] = Field(default=(), description="Addresses, most preferred first")
    tags: tuple[str, ...] = Field(default=(), description="Labels, in the order given")
    excluded_from_coverage: bool = Field(default=False, description="Left out of coverage figures")


class Inventory(Value):
    """A list of resources."""

    id: InventoryId = Field(description="Chosen by whoever asked for the inventory")
    name: str = Field(description="Display name")
    type: InventoryType = Field(description="Fixed when the inventory is created")
    configuration: dict[str, FieldValue] = Field(
        default={}, description="What its provider is reached with, by the names of `contracts.inventory_types`"
    )
    revision: int = Field(description="Grows by one with each change")


class Resource(Value):
    """One thing that can be protected, store backups or receive a restore."""

    id: ResourceId = Field(description="The handle `urn_id` of the HTTP API")
    inventory_id: InventoryId = Field(description="The inventory that the resource is listed in")
    urn: str = Field(description="Name that is unique in its inventory and never changes")
    name: str = Field(description="Display name")
    class_: str = Field(alias="class", description="e.g. `file-storage`, `object-storage`; open-ended")
    subclass: str = Field(description="e.g. `posix`, `s3`; open-ended")
    service: str = Field(description="Free text: the service the resource belongs to")
    endpoints: tuple[Endpoint, ...] = Field(description="Addresses, most preferred first")
    tags: tuple[str, ...] = Field(description="Labels, in the order given")
    excluded_from_coverage: bool = Field(description="Left out of coverage figures")
    locked: bool = Field(default=False, description="Set by operators; blocks the tasks of the resource's apps")
    revision: int = Field(description="Grows by one with each change")


class CatalogCommand(Command):
    """Keyed by inventory, so that one consumer sees all changes of an inventory in order."""

    TOPIC: ClassVar[str] = topics.CATALOG_COMMANDS
    KEY: ClassVar[str] = "inventory_id"

    inventory_id: InventoryId = Field(description="Inventory to act on; chosen by the sender for a new one")


class CreateInventory(CatalogCommand):
    """Create an inventory. Result: `{"id"}`. Refused: `inventory_exists`, `inventory_invalid`, `nothing_masked`.

    Nothing is contacted: credentials that do not work are found out by a sync.
    """

    TYPE: ClassVar[str] = "cairn.catalog.inventory.create.v1"

    name: str = Field(description="Display name, not empty")
    type: InventoryType = Field(description="Where its resources come from")
    configuration: dict[str, FieldValue] = Field(
        default={}, description="What its provider is reached with; secrets sealed for the inventory's id"
    )


class ChangeInventory(CatalogCommand):
    """Replace what is said about an inventory.

    Refused: `inventory_not_found`, `inventory_type_fixed`, `inventory_invalid`, `nothing_masked`.
    """

    TYPE: ClassVar[str] = "cairn.catalog.inventory.change.v1"

    name: str = Field(description="New display name, not empty")
    type: InventoryType = Field(description="The type it has; another one is refused")
    configuration: dict[str, FieldValue] = Field(
        default={}, description="All of its settings; secrets sealed for the inventory's id, or `keep` for what is kept"
    )


class RemoveInventory(CatalogCommand):
    """Remove an inventory and its resources. Refused: `inventory_not_found`."""

    TYPE: ClassVar[str] = "cairn.catalog.inventory.remove.v1"


class RegisterResource(CatalogCommand):
    """Add a resource. Result: `{"id"}`.

    Refused: `inventory_not_found`, `inventory_managed`, `urn_taken`, `resource_invalid` (with the fields at fault).
    """

    TYPE: ClassVar[str] = "cairn.catalog.resource.register.v1"

    resource_id: ResourceId = Field(description="Chosen by the sender")
    description: ResourceDescription = Field(description="What is said about the resource")


class ChangeResource(CatalogCommand):
    """Replace what is said about a resource. Refused: `resource_not_found`, `urn_fixed`, `resource_invalid`."""

    TYPE: ClassVar[str] = "cairn.catalog.resource.change.v1"

    resource_id: ResourceId = Field(description="Resource to change")
    description: ResourceDescription = Field(
        description="What is said about the resource now; its URN must be the one it has"
    )


class FlagResource(CatalogCommand):
    """Set what operators decide about a resource, also of a managed inventory; what is None stays. Result: `{"id"}`.

    Refused: `resource_not_found`.
    """

    TYPE: ClassVar[str] = "cairn.catalog.resource.flag.v1"

    resource_id: ResourceId = Field(description="Resource to flag")
    locked: bool | None = Field(default=None, description="Whether tasks of its apps are blocked")
    excluded_from_coverage: bool | None = Field(default=None, description="Whether it is left out of coverage figures")


class RemoveResource(CatalogCommand):
    """Remove a resource. Refused: `resource_not_found`."""

    TYPE: ClassVar[str] = "cairn.catalog.resource.remove.v1"

    resource_id: ResourceId = Field(description="Resource to remove")


class InventoryCreated(Event):
    """An inventory exists."""

    TYPE: ClassVar[str] = "cairn.catalog.inventory.created.v1"
    TOPIC: ClassVar[str] = topics.CATALOG_EVENTS
    KEY: ClassVar[str] = "inventory_id"

    inventory_id: InventoryId = Field(description="The inventory")
    inventory: Inventory = Field(description="The inventory as it is now")


class InventoryChanged(InventoryCreated):
    """An inventory has a new name or other settings."""

    TYPE: ClassVar[str] = "cairn.catalog.inventory.changed.v1"


class InventoryRemoved(Event):
    """An inventory is gone, and its resources with it."""

    TYPE: ClassVar[str] = "cairn.catalog.inventory.removed.v1"
    TOPIC: ClassVar[str] = topics.CATALOG_EVENTS
    KEY: ClassVar[str] = "inventory_id"

    inventory_id: InventoryId = Field(description="The inventory")


class ResourceRegistered(Event):
    """A resource exists."""

    TYPE: ClassVar[str] = "cairn.catalog.resource.registered.v1"
    TOPIC: ClassVar[str] = topics.CATALOG_EVENTS
    KEY: ClassVar[str] = "resource_id"

    resource_id: ResourceId = Field(description="The resource")
    resource: Resource = Field(description="The resource as it is now")


class ResourceChanged(ResourceRegistered):
    """A resource is described anew."""

    TYPE: ClassVar[str] = "cairn.catalog.resource.changed.v1"


class ResourceRemoved(Event):
    """A resource is gone."""

    TYPE: ClassVar[str] = "cairn.catalog.resource.removed.v1"
    TOPIC: ClassVar[str] = topics.CATALOG_EVENTS
    KEY: ClassVar[str] = "resource_id"

    resource_id: ResourceId = Field(description="The resource")
    revision: int = Field(description="Revision of the removal: later than any seen before")
    inventory_id: InventoryId | None = Field(default=None, description="The inventory that it was in")
