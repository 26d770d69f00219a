"""Inventories and resources."""

from contracts.inventory_types import InventoryType
from contracts.queries.catalog import CountedInventory
from pydantic import Field, JsonValue

from gateway.http.answers import View
from gateway.http.body_fields import LONGEST_AUDITED_TEXT, Body, LabelText
from gateway.http.examples import INVENTORY, example

_ROW = {
    "id": INVENTORY,
    "name": "datacentre",
    "type": "self-managed",
    "count": 2,
    "last_update": None,
    "residency": None,
    "coverage": None,
}


class InventoryRowView(View):
    """An inventory in a listing. What is not known is null."""

    model_config = example(**_ROW)

    id: str
    name: str
    type: str
    count: int = Field(description="Resources in it")
    # Nothing fills these yet; clients read them, so they are there.
    last_update: str | None = None
    residency: JsonValue = None
    coverage: JsonValue = None


class InventoryView(InventoryRowView):
    """One inventory."""

    model_config = example(**_ROW, summaries=None)

    summaries: JsonValue = None


class SyncView(View):
    """Whether an inventory could be synced."""

    model_config = example(ok=True, error="")

    ok: bool
    error: str


def inventory_row(inventory: CountedInventory) -> InventoryRowView:
    """An inventory in a listing."""
    return InventoryRowView(id=inventory.id, name=inventory.name, type=inventory.type, count=inventory.count)


def inventory_view(inventory: CountedInventory) -> InventoryView:
    """One inventory."""
    return InventoryView(**inventory_row(inventory).model_dump())


class InventoryName(Body):
    """A self-managed inventory."""

    model_config = example(name="datacentre")

    name: LabelText

    def summary(self) -> dict[str, JsonValue]:
        """What the audit log holds of it."""
        return {"name": self.name[:LONGEST_AUDITED_TEXT]}


class InventoryBody(InventoryName):
    """An inventory of any type."""

    model_config = example(name="datacentre", type="self-managed")

    type: InventoryType
