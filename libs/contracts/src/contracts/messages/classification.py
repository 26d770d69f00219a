"""Environments and data classes of an organization: commands to and events of the catalog, and who follows a rename."""

from typing import ClassVar, Literal

from pydantic import Field

from contracts import topics
from contracts.messages.base import Command, Event
from contracts.values import AppId, OrganizationId, Value

LabelKind = Literal["environment", "data_class"]


class Classification(Value):
    """The labels that an organization offers. Connectors may carry others."""

    id: OrganizationId = Field(description="The organization")
    environments: tuple[str, ...] = Field(
        description="Where something runs, e.g. `production`; in the order of the list"
    )
    data_classes: tuple[str, ...] = Field(
        description="What something holds, e.g. `personal_data`; in the order of the list"
    )
    revision: int = Field(description="Grows by one with each change; 0 is what every organization begins with")

    def labels(self, kind: LabelKind) -> tuple[str, ...]:
        """The labels of a kind."""
        return self.environments if kind == "environment" else self.data_classes


class LabelCommand(Command):
    """Keyed by organization, so that one consumer sees all changes of its lists in order. Result: `{"revision"}`."""

    TOPIC: ClassVar[str] = topics.CATALOG_COMMANDS
    KEY: ClassVar[str] = "organization_id"

    kind: LabelKind = Field(description="Which of the lists")


class AddLabel(LabelCommand):
    """Add a label at the end of a list. Refused: `label_invalid`, `label_exists`, `too_many_labels`."""

    TYPE: ClassVar[str] = "cairn.catalog.label.add.v1"

    name: str = Field(description="The label, not empty; upper and lower case are different labels")


class RenameLabel(LabelCommand):
    """Give a label another name, in the list and wherever it is used.

    Refused: `label_not_found`, `label_invalid`, `label_exists` (also `too_many_labels` for one that was not listed).
    """

    TYPE: ClassVar[str] = "cairn.catalog.label.rename.v1"

    name: str = Field(description="The label as it is")
    new_name: str = Field(description="The label as it is to be")
    merge: bool = Field(default=False, description="Whether `new_name` may be a label already: both are one afterwards")
    # The catalog knows no connectors: whoever asks has looked. In the command, so that a repeated one stays the same.
    in_use: bool = Field(default=False, description="Whether `name` is used: it need not be listed then")
    new_name_in_use: bool = Field(default=False, description="Whether `new_name` is used, listed or not")


class RemoveLabel(LabelCommand):
    """Take a label off a list; what carries it keeps it. Refused: `label_not_found`."""

    TYPE: ClassVar[str] = "cairn.catalog.label.remove.v1"

    name: str = Field(description="The label")


class ClassificationChanged(Event):
    """The lists of an organization are others than before."""

    TYPE: ClassVar[str] = "cairn.catalog.classification.changed.v1"
    TOPIC: ClassVar[str] = topics.CATALOG_EVENTS
    KEY: ClassVar[str] = "organization_id"

    classification: Classification = Field(description="The lists as they are now")


class LabelRenamed(Event):
    """A label has another name."""

    TYPE: ClassVar[str] = "cairn.catalog.label.renamed.v1"
    TOPIC: ClassVar[str] = topics.CATALOG_EVENTS
    KEY: ClassVar[str] = "organization_id"

    kind: LabelKind = Field(description="Which of the lists it is, or was not, in")
    name: str = Field(description="The label as it was")
    new_name: str = Field(description="The label as it is now")
    revision: int = Field(description="Revision of the lists: orders the renames of an organization")


class LabelRename(Value):
    """A rename as the assignment service keeps it, to apply it to what was described before."""

    revision: int = Field(description="Revision of the lists that it led to")
    kind: LabelKind = Field(description="Which labels it is about")
    name: str = Field(description="The label as it was")
    new_name: str = Field(description="The label as it is now")


# On the topic of commands, because the order within one app matters: it is handled between the commands for that app.
class AppLabelRenamed(Event):
    """An app carried a label that was renamed. The assignment service tells itself, to act in the app's own order."""

    TYPE: ClassVar[str] = "cairn.assignment.app.label-renamed.v1"
    TOPIC: ClassVar[str] = topics.ASSIGNMENT_COMMANDS
    KEY: ClassVar[str] = "app_id"

    app_id: AppId = Field(description="The app")
    rename: LabelRename = Field(description="What was renamed")
