"""The labels of an organization: those that it lists, and those that are used all the same. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contracts.errors import Conflict
from contracts.messages.classification import LabelKind
from contracts.queries.classification import LabelUse, UsedClassification

_WORDS: dict[LabelKind, str] = {"environment": "Environment", "data_class": "Data class"}


@dataclass(frozen=True)
class KnownLabel:
    """A label and how often it is used."""

    use: LabelUse
    listed: bool
    tags_counted: bool
    """Whether `use.resources` was counted."""

    @property
    def name(self) -> str:
        """The label."""
        return self.use.name


def known_labels(lists: UsedClassification, uses: Iterable[LabelUse], kind: LabelKind) -> Sequence[KnownLabel]:
    """The labels of a kind: the list in its order, then by name what is used and not listed."""
    used = {use.name: use for use in uses if use.kind == kind}
    tagged = {use.name: use.resources for use in lists.tagged or () if use.kind == kind}
    listed = lists.labels(kind)
    others = sorted((used.keys() | tagged.keys()) - set(listed), key=lambda name: (name.casefold(), name))
    return [
        KnownLabel(
            use=(used.get(name) or LabelUse(kind=kind, name=name)).model_copy(
                update={"resources": tagged.get(name, 0)}
            ),
            listed=place < len(listed),
            tags_counted=lists.tagged is not None,
        )
        for place, name in enumerate((*listed, *others))
    ]


def use_of(uses: Iterable[LabelUse], kind: LabelKind, name: str) -> LabelUse:
    """How often a label is used."""
    return next((use for use in uses if (use.kind, use.name) == (kind, name)), LabelUse(kind=kind, name=name))


def check_unused(use: LabelUse) -> None:
    """Raise `Conflict` (`label_in_use`) naming some that carry a label, when any does."""
    if not use.users:
        return
    more = use.users - len(use.some)
    some = ", ".join(use.some) + (f" and {more} more, {use.users} in all" if more else "")
    detail = (
        f"{_WORDS[use.kind]} {use.name!r} is used by {some}. Change these first; or remove it with "
        "force=true, and they keep it as a label that is not listed."
    )
    raise Conflict("label_in_use", detail)
