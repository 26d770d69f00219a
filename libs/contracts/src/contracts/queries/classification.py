"""What is asked about environments and data classes: the catalog has the lists, the assignment service the users."""

from pydantic import Field

from contracts.messages.classification import Classification, LabelKind
from contracts.values import Value

NAMED_USERS = 5
"""How many of those that use a label are named."""


class LabelUse(Value):
    """How often a label is used. Of what a service does not know it counts none."""

    kind: LabelKind
    name: str
    sources: int = 0
    stores: int = 0
    destinations: int = 0
    bundles: int = 0
    resources: int = 0
    some: tuple[str, ...] = Field(default=(), description="Some of the users, in words for a person")

    @property
    def users(self) -> int:
        """How many things would keep the label if it left the list. Tags of resources are texts of their owners."""
        return self.sources + self.stores + self.destinations + self.bundles


class UsedClassification(Classification):
    """The lists of an organization, and which labels the tags of its resources name."""

    tagged: tuple[LabelUse, ...] | None = None
    """None: not counted."""
