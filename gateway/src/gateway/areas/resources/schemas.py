"""Resources."""

from typing import Annotated, Any

from contracts.inventory_types import InventoryType
from contracts.messages.catalog import Resource, ResourceDescription
from contracts.queries.catalog import CoverageStatus, ListedResource
from contracts.resource_classes import RESOURCE_CLASSES
from pydantic import Field, JsonValue, StrictBool

from gateway.http.answers import View
from gateway.http.body_fields import LONGEST_AUDITED_TEXT, Body, Endpoints, Labels, Line, Switch, text
from gateway.http.examples import INVENTORY, RESOURCE, example

LONGEST_URN = 512


class ResourceBody(Body):
    """What is said about a resource."""

    model_config = example(
        urn="urn:example:nas",
        name="NAS",
        **{"class": "file-storage"},
        subclass="posix",
        service="files",
        endpoints=[{"endpoint": "nas.example.com"}],
        tags=["rack-4"],
        excluded_from_coverage=False,
    )

    urn: Annotated[str, text(LONGEST_URN)] = Field(description="Unique in the inventory; never changes")
    # Required and possibly empty; the catalog then takes the URN as the name.
    name: Annotated[str, text(LONGEST_URN, empty=True)]
    class_: Line = Field(
        default="",
        alias="class",
        description="e.g. `file-storage`, `object-storage`; open-ended. Empty: any integration may do",
    )
    subclass: Line = Field(default="", description="e.g. `posix`, `s3`; open-ended")
    service: Line = ""
    endpoints: Endpoints = ()
    tags: Labels = ()
    excluded_from_coverage: Switch = False

    def summary(self) -> dict[str, JsonValue]:
        """What the audit log holds of it."""
        return {"urn": self.urn[:LONGEST_AUDITED_TEXT], "name": self.name[:LONGEST_AUDITED_TEXT]}

    def description(self) -> ResourceDescription:
        """The body as the catalog takes it."""
        return ResourceDescription(
            urn=self.urn,
            name=self.name,
            class_=self.class_,
            subclass=self.subclass,
            service=self.service,
            endpoints=tuple(e.endpoint for e in self.endpoints),
            tags=self.tags,
            excluded_from_coverage=self.excluded_from_coverage,
        )


class CoverageBody(Body):
    """Whether a resource is left out of coverage figures."""

    model_config = example(excluded_from_coverage=True)

    excluded_from_coverage: StrictBool

    def summary(self) -> dict[str, JsonValue]:
        """What the audit log holds of it."""
        return {"excluded_from_coverage": self.excluded_from_coverage}


class LockBody(Body):
    """Whether the tasks of a resource's connectors are blocked."""

    model_config = example(locked=True)

    locked: StrictBool

    def summary(self) -> dict[str, JsonValue]:
        """What the audit log holds of it."""
        return {"locked": self.locked}


class EndpointView(View):
    """An address of a resource; the kind follows from the address."""

    endpoint: str
    kind: str = Field(
        description="`host`, `inet4`, `inet6`, or `identifier`: what begins with `/`, `urn:` or `arn:`, or is a UUID"
    )


class EndpointsView(View):
    """All addresses of a resource."""

    model_config = example(endpoints=[{"endpoint": "nas.example.com", "kind": "host"}])

    endpoints: list[EndpointView]


_RESOURCE: dict[str, Any] = {
    "urn_id": RESOURCE,
    "inventory_id": INVENTORY,
    "urn": "urn:example:nas",
    "name": "NAS",
    "class": "file-storage",
    "subclass": "posix",
    "service": "files",
    "endpoints": [{"endpoint": "nas.example.com", "kind": "host"}],
    "tags": ["rack-4"],
    "excluded_from_coverage": False,
    "locked": False,
}


class ResourceView(View):
    """A resource. `urn_id` is its handle."""

    model_config = example(**_RESOURCE)

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


class ResourceRowView(ResourceView):
    """A resource in a listing."""

    model_config = example(
        **_RESOURCE,
        inventory_name="datacentre",
        inventory_type="self-managed",
        coverage_status="protected",
    )

    inventory_name: str
    inventory_type: InventoryType
    coverage_status: CoverageStatus = Field(
        description="`excluded` where it is left out of coverage; else whether a source uses it"
    )


class SubclassView(View):
    """A subclass of a class of resources."""

    subclass: str
    title: str = Field(description="What people are shown")


class ResourceClassView(View):
    """A class of resources. The list is open: resources of other classes are taken as they come."""

    model_config = example(
        **{"class": "object-storage"},
        title="Object Storage",
        grouped=True,
        subclasses=[{"subclass": "s3", "title": "S3"}],
    )

    class_: str = Field(alias="class")
    title: str = Field(description="What people are shown")
    grouped: bool = Field(description="Whether pages that count resources by class show it")
    subclasses: list[SubclassView]


def class_views() -> list[ResourceClassView]:
    """All classes that have names, in the order in which people are shown them."""
    return [
        ResourceClassView(
            class_=each.name,
            title=each.title,
            grouped=each.is_grouped,
            subclasses=[SubclassView(subclass=s.name, title=s.title) for s in each.subclasses],
        )
        for each in RESOURCE_CLASSES
    ]


def endpoints_of(resource: Resource) -> list[EndpointView]:
    """The addresses of a resource, in the order given."""
    return [EndpointView(endpoint=e.endpoint, kind=e.shown_kind) for e in resource.endpoints]


def resource_view(resource: Resource) -> ResourceView:
    """A resource."""
    return ResourceView(**_facts(resource))


def resource_row(resource: ListedResource) -> ResourceRowView:
    """A resource in a listing."""
    return ResourceRowView(
        **_facts(resource),
        inventory_name=resource.inventory_name,
        inventory_type=resource.inventory_type,
        coverage_status=resource.coverage_status,
    )


def _facts(resource: Resource) -> dict[str, Any]:
    return {
        "urn_id": resource.id,
        "inventory_id": resource.inventory_id,
        "urn": resource.urn,
        "name": resource.name,
        "class_": resource.class_,
        "subclass": resource.subclass,
        "service": resource.service,
        "endpoints": endpoints_of(resource),
        "tags": list(resource.tags),
        "excluded_from_coverage": resource.excluded_from_coverage,
        "locked": resource.locked,
    }
