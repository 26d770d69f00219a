"""Resources."""

from typing import Annotated

from contracts.messages.catalog import Resource, ResourceDescription
from pydantic import Field, JsonValue

from gateway.http.answers import View
from gateway.http.body_fields import LONGEST_AUDITED_TEXT, Body, Endpoints, Labels, LabelText, Line, Switch, text
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
    class_: LabelText = Field(alias="class", description="e.g. `file-storage`, `object-storage`; open-ended")
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
