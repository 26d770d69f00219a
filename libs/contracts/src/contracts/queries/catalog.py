"""What the catalog answers."""

from typing import Literal

from pydantic import Field

from contracts.inventory_types import InventoryType
from contracts.messages.catalog import Inventory, Resource
from contracts.values import Value

CoverageStatus = Literal["protected", "unprotected", "excluded"]
ResourceSort = Literal[
    "created", "-created", "name", "-name", "urn", "-urn", "class", "-class", "inventory", "-inventory"
]
"""Orders of resources; with a dash, the last first. `created`: oldest first."""


class Coverage(Value):
    """How many resources are protected. Of managed inventories, only those that have a class count."""

    protected: int = Field(default=0, description="A source uses them")
    unprotected: int = Field(default=0, description="No source uses them")
    excluded: int = Field(default=0, description="Left out by an operator, whether or not a source uses them")


class ClassSummary(Value):
    """How many resources of a class there are."""

    class_: str = Field(alias="class")
    name: str = Field(description="The class as people are shown it")
    count: int


class CountedInventory(Inventory):
    """An inventory and what it holds."""

    count: int = 0
    coverage: Coverage = Coverage()
    summaries: tuple[ClassSummary, ...] = ()


class ListedResource(Resource):
    """A resource in a listing."""

    inventory_name: str = ""
    inventory_type: InventoryType = "self-managed"
    coverage_status: CoverageStatus = "unprotected"
