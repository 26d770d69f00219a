"""Inventories and resources."""

from typing import Annotated

from contracts.messages.catalog import InventoryType, ResourceDescription
from pydantic import Field, JsonValue

from gateway.api.bodies.base import (
    MOST_CHARACTERS_TOLD,
    Body,
    Endpoints,
    Labels,
    LabelText,
    Line,
    Switch,
    example,
    text,
)

LONGEST_URN = 512


class InventoryName(Body):
    """A self-managed inventory."""

    model_config = example(name="datacentre")

    name: LabelText

    def summary(self) -> dict[str, JsonValue]:
        """What the audit log tells of it."""
        return {"name": self.name[:MOST_CHARACTERS_TOLD]}


class InventoryBody(InventoryName):
    """An inventory of any type."""

    model_config = example(name="datacentre", type="self-managed")

    type: InventoryType


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
    name: Annotated[str, text(LONGEST_URN, empty=True)]
    class_: LabelText = Field(alias="class", description="e.g. `file-storage`, `object-storage`; open-ended")
    subclass: Line = Field(default="", description="e.g. `posix`, `s3`; open-ended")
    service: Line = ""
    endpoints: Endpoints = ()
    tags: Labels = ()
    excluded_from_coverage: Switch = False

    def summary(self) -> dict[str, JsonValue]:
        """What the audit log tells of it."""
        return {"urn": self.urn[:MOST_CHARACTERS_TOLD], "name": self.name[:MOST_CHARACTERS_TOLD]}

    def description(self) -> ResourceDescription:
        """The body as the catalog is told."""
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
