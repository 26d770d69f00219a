"""What the assignment service is asked and answers about bundles."""

from pydantic import Field

from contracts.values import Value


class ClearFields(Value):
    """The fields of a bundle that hold no secret. Whatever is not among them must be sealed before it travels."""

    # Those without secrets rather than those with: a field that is forgotten here is sealed, not shown.
    names: frozenset[str] = Field(
        default=frozenset(),
        description="Fields that the integration has, or without one any, and that are secret nowhere",
    )
