"""What the assignment service is asked and answers about bundles."""

from pydantic import Field

from contracts.values import IntegrationId, InventoryId, Value


class BundleQuestion(Value):
    """Which bundles have all of this in their own scope?"""

    inventory_id: InventoryId | None = Field(default=None, description="None: those of the organization")
    integration_id: IntegrationId | None = Field(default=None, description="None: of any")
    environment: str = Field(default="", description="Empty: of any")
    tags: tuple[str, ...] = Field(default=(), description="All of them")
    search: str = Field(default="", description="A part of the name, whatever the case")
    limit: int = Field(default=50, ge=0)
    offset: int = Field(default=0, ge=0)


class ClearFields(Value):
    """The fields of a bundle that hold no secret. Whatever is not among them must be sealed before it travels."""

    # Those without secrets rather than those with: a field that is forgotten here is sealed, not shown.
    names: frozenset[str] = Field(
        default=frozenset(),
        description="Fields that the integration has, or without one any, and that are secret nowhere",
    )
