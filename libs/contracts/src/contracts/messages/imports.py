"""Lists of resources that replace what an inventory holds, and changes of many resources at once."""

from typing import ClassVar

from pydantic import Field

from contracts import topics
from contracts.messages.base import Event
from contracts.messages.catalog import CatalogCommand, Resource
from contracts.values import ImportId, InventoryId, ResourceId, Value

MOST_AT_ONCE = 500
"""Resources in one message at most."""


class ImportedRow(Value):
    """What a list says about one resource."""

    urn: str = Field(description="Name that is unique in its inventory and never changes")
    name: str = Field(description="Display name; empty: the URN")
    class_: str = Field(alias="class", description="e.g. `file-storage`; open-ended")
    endpoints: tuple[str, ...] = Field(default=(), description="Addresses, most preferred first")


class StageImport(CatalogCommand):
    """Keep a part of a list until the import is applied. Result: `{"import_id"}`. Changes no resource."""

    TYPE: ClassVar[str] = "cairn.catalog.import.stage.v1"

    import_id: ImportId = Field(description="Chosen by the sender")
    part: int = Field(description="Place among the parts of the list, from 0")
    rows: tuple[ImportedRow, ...] = Field(description=f"Up to {MOST_AT_ONCE}, in the order of the list")


class ApplyImport(CatalogCommand):
    """Make the list that was staged what the inventory holds: rows are told apart by their URNs.

    Result: `{"import_id", "added", "changed", "unchanged", "removed"}`. Refused: `inventory_not_found`,
    `inventory_managed`, `import_incomplete`.
    """

    TYPE: ClassVar[str] = "cairn.catalog.import.apply.v1"

    import_id: ImportId = Field(description="The import whose parts were sent before")
    parts: int = Field(description="How many parts the list has")
    rows: int = Field(description="How many resources the list has")


class RemovedResource(Value):
    """A resource that is gone."""

    id: ResourceId = Field(description="The resource")
    revision: int = Field(description="Revision of the removal: later than any seen before")


class ResourcesChanged(Event):
    """Resources of one inventory exist, are described anew, or are gone: one event for many."""

    TYPE: ClassVar[str] = "cairn.catalog.resources.changed.v1"
    TOPIC: ClassVar[str] = topics.CATALOG_EVENTS
    KEY: ClassVar[str] = "inventory_id"

    inventory_id: InventoryId = Field(description="The inventory that they are in")
    changed: tuple[Resource, ...] = Field(
        default=(), description="Resources as they are now; those of revision 1 are new"
    )
    removed: tuple[RemovedResource, ...] = Field(default=(), description="Resources that are gone")
    import_id: ImportId | None = Field(
        default=None,
        description="Set for a part of an import: whoever lists resources shows it when the import is applied",
    )


class ImportApplied(Event):
    """All changes of an import were announced: from now on the inventory is what the list says."""

    TYPE: ClassVar[str] = "cairn.catalog.import.applied.v1"
    TOPIC: ClassVar[str] = topics.CATALOG_EVENTS
    KEY: ClassVar[str] = "inventory_id"

    inventory_id: InventoryId = Field(description="The inventory")
    import_id: ImportId = Field(description="The import")
    added: int = Field(description="Resources that are new")
    changed: int = Field(description="Resources that are described anew")
    unchanged: int = Field(description="Resources that are as they were")
    removed: int = Field(description="Resources that are gone")
