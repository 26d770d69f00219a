"""Which labels an organization offers, and what becomes of the lists. Pure: values in, decision out."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chassis.texts import fault_of
from contracts.errors import Conflict, Invalid, NotFound
from contracts.messages.classification import AddLabel, Classification, LabelKind, RemoveLabel, RenameLabel
from contracts.queries.classification import LabelUse
from contracts.values import OrganizationId

DEFAULT_ENVIRONMENTS = ("production", "staging", "integration", "testing")
DEFAULT_DATA_CLASSES = (
    "personal_data",
    "sensitive_personal_data",
    "health_records",
    "cardholder_data",
    "financial_records",
    "employee_records",
    "audit_logs",
    "intellectual_property",
    "business_data",
    "system_state",
)
# As long as a connector may carry one, so that whatever is used can be listed.
LONGEST_LABEL = 255
MOST_LABELS = 500
# Keys of tags as the form of a new connector reads them.
_TAG_KEYS: dict[str, LabelKind] = {"environment": "environment", "data_class": "data_class", "data-class": "data_class"}
_WORDS: dict[LabelKind, str] = {"environment": "environment", "data_class": "data class"}


@dataclass(frozen=True)
class Renaming:
    """The lists after a rename; `changes` is False where it asked for what is so already."""

    classification: Classification
    changes: bool


def defaults(org: OrganizationId) -> Classification:
    """The lists that every organization begins with."""
    return Classification(id=org, environments=DEFAULT_ENVIRONMENTS, data_classes=DEFAULT_DATA_CLASSES, revision=0)


def add_label(current: Classification, command: AddLabel) -> Classification:
    """The lists with a label more. Raises `Invalid` and `Conflict` (`label_exists`, `too_many_labels`)."""
    kind, labels = command.kind, current.labels(command.kind)
    _check_name(kind, command.name, field="name")
    if command.name in labels:
        raise Conflict("label_exists", f"This {_WORDS[kind]} is in the list already.", fields={"name": "is there"})
    _check_case(kind, command.name, labels, field="name")
    return _with(current, kind, _appended(kind, labels, command.name))


def rename_label(current: Classification, command: RenameLabel) -> Renaming:
    """The lists with a label under its new name, in its place; with `merge` it becomes one with another.

    A label that is used and not listed is listed under its new name. Raises as `add_label` does, and `NotFound`.
    """
    kind, labels = command.kind, current.labels(command.kind)
    if command.name not in labels and not command.in_use:
        raise NotFound("label_not_found", f"There is no such {_WORDS[kind]}, and nothing carries it.")
    _check_name(kind, command.new_name, field="name")
    if command.new_name == command.name:
        return Renaming(current, changes=False)
    others = [label for label in labels if label != command.name]
    if not command.merge and (command.new_name in others or command.new_name_in_use):
        detail = f"Another {_WORDS[kind]} has this name already. With merge=true both become one, for good."
        raise Conflict("label_exists", detail, fields={"name": "is taken"})
    _check_case(kind, command.new_name, others, field="name")
    return Renaming(_with(current, kind, _renamed(kind, labels, command)), changes=True)


def remove_label(current: Classification, command: RemoveLabel) -> Classification:
    """The lists without a label. Raises `NotFound`."""
    labels = current.labels(command.kind)
    if command.name not in labels:
        raise NotFound("label_not_found", f"This {_WORDS[command.kind]} is not in the list.")
    return _with(current, command.kind, (label for label in labels if label != command.name))


def tagged(tag_sets: Mapping[tuple[str, ...], int]) -> Sequence[LabelUse]:
    """How many resources name each label in a tag, by kind and name. `tag_sets`: how many have each set of tags."""
    counts = Counter[tuple[LabelKind, str]]()
    for tags, resources in tag_sets.items():
        # A set: a label that a resource names twice counts once.
        for label in {label for tag in tags if (label := _label_of(tag))}:
            counts[label] += resources
    return [LabelUse(kind=kind, name=name, resources=counts[kind, name]) for kind, name in sorted(counts)]


def _label_of(tag: str) -> tuple[LabelKind, str] | None:
    key, _, value = tag.partition("=")
    kind, name = _TAG_KEYS.get(key.strip().casefold()), value.strip()
    return (kind, name) if kind is not None and name else None


def _renamed(kind: LabelKind, labels: tuple[str, ...], command: RenameLabel) -> Iterable[str]:
    if command.new_name in labels:
        return (label for label in labels if label != command.name)
    if command.name not in labels:
        return _appended(kind, labels, command.new_name)
    return (command.new_name if label == command.name else label for label in labels)


def _appended(kind: LabelKind, labels: tuple[str, ...], name: str) -> tuple[str, ...]:
    if len(labels) >= MOST_LABELS:
        raise Conflict("too_many_labels", f"There are {MOST_LABELS} of kind {_WORDS[kind]}, and no more can be listed.")
    return (*labels, name)


def _with(current: Classification, kind: LabelKind, labels: Iterable[str]) -> Classification:
    field = "environments" if kind == "environment" else "data_classes"
    return current.model_copy(update={field: tuple(labels), "revision": current.revision + 1})


def _check_name(kind: LabelKind, name: str, *, field: str) -> None:
    fault = fault_of(name, longest=LONGEST_LABEL, empty=False) or _edge_fault(name)
    if fault:
        raise Invalid("label_invalid", f"The name of a label ({_WORDS[kind]}) {fault}.", fields={field: fault})


def _edge_fault(name: str) -> str | None:
    # Nobody sees the one, and an address leads elsewhere with the others.
    if name != name.strip():
        return "must not begin or end with a space"
    if name != name.strip("/"):
        return "must not begin or end with a slash"
    if any(part in (".", "..") for part in name.split("/")):
        return "must not be . or .., nor hold them between slashes"
    return None


def _check_case(kind: LabelKind, name: str, labels: Iterable[str], *, field: str) -> None:
    # Labels are compared as they are, everywhere: two that differ in case alone are two, and nobody would tell which
    # of them a policy selects on.
    for label in labels:
        if label != name and label.casefold() == name.casefold():
            detail = f"The list has {label!r}, which differs in upper and lower case alone. Use that {_WORDS[kind]}."
            raise Conflict("label_exists", detail, fields={field: f"is there as {label}"})
