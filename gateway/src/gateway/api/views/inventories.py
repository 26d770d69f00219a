"""Inventories and resources."""

from contracts.messages.catalog import Resource
from pydantic import Field, JsonValue

from gateway.api.views.base import View, example
from gateway.usecases.owners import CountedInventory

INVENTORY = "0198b1c2-0000-7000-8000-000000000009"
RESOURCE = "0198b1c2-0000-7000-8000-00000000000a"


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


class EndpointView(View):
    """An address of a resource; the kind follows from the address."""

    endpoint: str
    kind: str


class EndpointsView(View):
    """All addresses of a resource."""

    model_config = example(endpoints=[{"endpoint": "nas.example.com", "kind": "host"}])

    endpoints: list[EndpointView]


class ResourceView(View):
    """A resource. `urn_id` is its handle."""

    model_config = example(
        urn_id=RESOURCE,
        inventory_id=INVENTORY,
        urn="urn:example:nas",
        name="NAS",
        **{"class": "file-storage"},
        subclass="posix",
        service="files",
        endpoints=[{"endpoint": "nas.example.com", "kind": "host"}],
        tags=["rack-4"],
        excluded_from_coverage=False,
        locked=False,
    )

    urn_id: str
    inventory_id: str
    urn: str
    name: str
    class_: str = Field(alias="class")
    subclass: str
    service: str
    endpoints: list[EndpointView]
    tags: list[str]
    excluded_from_coverage: bool
    locked: bool = Field(description="Set by operators; blocks the tasks of the resource's connectors")


def inventory_row(inventory: CountedInventory) -> InventoryRowView:
    """An inventory in a listing."""
    return InventoryRowView(id=inventory.id, name=inventory.name, type=inventory.type, count=inventory.count)


def inventory_view(inventory: CountedInventory) -> InventoryView:
    """One inventory."""
    return InventoryView(**inventory_row(inventory).model_dump())


def endpoints_of(resource: Resource) -> list[EndpointView]:
    """The addresses of a resource, in the order given."""
    return [EndpointView(endpoint=e.endpoint, kind=e.kind) for e in resource.endpoints]


def resource_view(resource: Resource) -> ResourceView:
    """A resource."""
    return ResourceView(
        urn_id=resource.id,
        inventory_id=resource.inventory_id,
        urn=resource.urn,
        name=resource.name,
        class_=resource.class_,
        subclass=resource.subclass,
        service=resource.service,
        endpoints=endpoints_of(resource),
        tags=list(resource.tags),
        excluded_from_coverage=resource.excluded_from_coverage,
        locked=resource.locked,
    )
