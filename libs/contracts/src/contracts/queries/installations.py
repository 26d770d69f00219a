"""What the assignment service answers about the integrations of an organization."""

from pydantic import Field

from contracts.messages.assignment import AppKind
from contracts.messages.connector.offers import Integration
from contracts.messages.outcomes import FieldProblem
from contracts.values import AppId, IntegrationId, Value


class OfferedVersion(Value):
    """A version of an integration that workers offer."""

    version: str
    pools: tuple[str, ...] = Field(default=(), description="Pools whose workers offer it; none: they do not say which")


class KnownIntegration(Value):
    """An integration as an organization has it."""

    integration: Integration = Field(description="The manifest of the newest version")
    installed: bool = Field(default=True, description="False: the organization does without it")
    offered: bool = Field(default=True, description="False: no worker has offered it for so long that it is gone")
    versions: tuple[OfferedVersion, ...] = Field(default=(), description="What workers offer, newest first")


class VersionInUse(Value):
    """How many connectors use a version of an integration."""

    version: str
    connectors: int


class IntegrationUse(Value):
    """What an organization uses of an integration."""

    integration_id: IntegrationId
    connectors: dict[AppKind, int] = Field(default={}, description="How many use it, by kind")
    versions: tuple[VersionInUse, ...] = Field(default=(), description="In which versions, oldest first")


class Misfit(Value):
    """A connector that lacks something in a newer version of its integration: until it is there, it is incomplete."""

    id: AppId
    name: str
    kind: AppKind
    faults: tuple[FieldProblem, ...]


class Upgrade(Value):
    """What an upgrade leads to."""

    id: IntegrationId
    version: str
    connectors: int = Field(description="How many go over to the version")
    misfits: tuple[Misfit, ...] = Field(default=(), description="Which of them are incomplete then; some of very many")
    misfits_total: int = Field(default=0, description="How many are incomplete then")
