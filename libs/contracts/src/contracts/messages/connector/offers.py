"""What connector workers offer: their integrations, and what the workers of a pool can reach."""

from pathlib import PurePosixPath
from typing import ClassVar

from pydantic import Field, JsonValue

from contracts.file_properties import FileProperty
from contracts.messages.assignment import AppKind
from contracts.messages.connector.base import ConnectorEvent
from contracts.paths import normalized
from contracts.values import IntegrationId, Value


class Match(Value):
    """A class and subclass of resource that an integration can work with."""

    class_: str = Field(alias="class", description="Class of the resource")
    subclass: str = Field(description="Subclass of the resource")


class Protocol(Value):
    """One way an integration reaches a system."""

    name: str = Field(description="e.g. `s3`; equal to the integration's name where there is just one")
    title: str = Field(description="For display")
    kinds: tuple[AppKind, ...] = Field(description="What an app of this protocol can be")
    schemas: dict[AppKind, dict[str, JsonValue]] = Field(
        description="JSON Schema (2020-12) of the fields per kind; values are strings; secrets have `x-secret`"
    )


class Integration(Value):
    """A plug-in for a kind of system."""

    id: IntegrationId = Field(description="Fixed: part of the manifest")
    name: str = Field(description="Short name, e.g. `s3`")
    version: str = Field(description="Version of the manifest, e.g. `1.0.0`")
    title: str = Field(description="For display")
    matches: tuple[Match, ...] = Field(description="Resources that it can work with")
    protocols: tuple[Protocol, ...] = Field(description="Ways to reach them; at least one")
    help: str = Field(default="", description="One paragraph for the person who fills in the form")
    keeps: tuple[FileProperty, ...] = Field(
        default=(), description="What a destination gives back of files beside their names and contents"
    )


class IntegrationOffered(ConnectorEvent):
    """Workers can run this integration; sent by each worker as it starts."""

    TYPE: ClassVar[str] = "cairn.connector.integration.offered.v1"
    KEY: ClassVar[str] = "integration_id"

    integration_id: IntegrationId = Field(description="The integration")
    integration: Integration = Field(description="Its manifest")


class Reach(Value):
    """A limit to what the workers of a pool can reach of a protocol."""

    protocol: str = Field(description="Protocol that the limit is for")
    field: str = Field(description="Field of its configuration that holds a path")
    within: tuple[str, ...] = Field(description="The path is one of these directories, or lies below one")

    def admits(self, protocol: str, value: str | None) -> bool:
        """Whether an app of a protocol, with this value in the field, can be reached as far as this limit goes."""
        # A limit speaks of one field of one protocol only. Without a value there is nothing to judge yet.
        if protocol != self.protocol or value is None:
            return True
        # Normalized without looking at the disk: this is asked by services that run on other machines.
        path = PurePosixPath(normalized(value))
        return any(path.is_relative_to(normalized(directory)) for directory in self.within)


class IntegrationVersion(Value):
    """An integration in a version."""

    id: IntegrationId = Field(description="The integration")
    version: str = Field(description="Version of its manifest, e.g. `1.0.0`")


class PoolOffered(ConnectorEvent):
    """What a worker of a pool offers, said again and again; all workers of a pool can reach the same."""

    TYPE: ClassVar[str] = "cairn.connector.pool.offered.v1"
    KEY: ClassVar[str] = "pool"

    pool: str = Field(description="Name of the pool")
    reach: tuple[Reach, ...] = Field(default=(), description="Limits; of protocols without one everything is reached")
    integrations: tuple[IntegrationVersion, ...] = Field(
        default=(), description="What the worker can run; none: a worker of before that was said"
    )
