"""Which labels were renamed, and what that means for those who carry them. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from contracts.messages.classification import LabelKind, LabelRename, LabelRenamed
from contracts.queries.classification import NAMED_USERS, LabelUse
from contracts.values import Moment, Value

RENAMES_KEPT = 200
"""Of each organization. An older one is still brought to whoever carried it then, by the message that tells of it."""


class KnownRename(LabelRename):
    """A rename, and when it happened."""

    at: Moment


class KnownRenames(Value):
    """The latest renames of an organization, in their order."""

    renames: tuple[KnownRename, ...] = ()

    @property
    def revision(self) -> int:
        """That of the latest; 0 when there was none."""
        return self.renames[-1].revision if self.renames else 0

    def rename_of(self, revision: int) -> KnownRename | None:
        """The rename that led to a revision of the lists, if it is kept."""
        return next((rename for rename in self.renames if rename.revision == revision), None)

    def after(self, moment: datetime) -> Sequence[LabelRename]:
        """Those that happened after a moment."""
        return [rename for rename in self.renames if rename.at > moment]

    def beyond(self, revision: int, told: LabelRename | None = None) -> Sequence[LabelRename]:
        """Those beyond a revision of the lists, `told` among them, which may be known no more."""
        known: dict[int, LabelRename] = {told.revision: told} if told is not None else {}
        known |= {rename.revision: rename for rename in self.renames}
        return [known[each] for each in sorted(known) if each > revision]


def note_rename(known: KnownRenames, event: LabelRenamed, *, at: datetime) -> KnownRenames | None:
    """What is known of renames after another one; None when it was known."""
    # Events of one organization come in order, but again after a kill.
    if known.revision >= event.revision:
        return None
    rename = KnownRename(revision=event.revision, kind=event.kind, name=event.name, new_name=event.new_name, at=at)
    return KnownRenames(renames=(*known.renames, rename)[-RENAMES_KEPT:])


def renamed(labels: Sequence[str], kind: LabelKind, renames: Iterable[LabelRename]) -> tuple[str, ...]:
    """Labels of a kind after some renames: in their order, and none twice that was renamed onto another one."""
    now = list(labels)
    for rename in renames:
        if rename.kind == kind and rename.name in now:
            now = _once(rename.new_name if label == rename.name else label for label in now)
    return tuple(now)


def summed(uses: Iterable[LabelUse]) -> list[LabelUse]:
    """One entry for each label, by kind and name."""
    by_label: dict[tuple[LabelKind, str], list[LabelUse]] = defaultdict(list)
    for use in uses:
        by_label[use.kind, use.name].append(use)
    return [_sum(by_label[label]) for label in sorted(by_label)]


def _once(labels: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(labels))


def _sum(uses: Sequence[LabelUse]) -> LabelUse:
    counted = ("sources", "stores", "destinations", "bundles", "resources")
    totals = {name: sum(getattr(use, name) for use in uses) for name in counted}
    some = tuple(name for use in uses for name in use.some)[:NAMED_USERS]
    return LabelUse(kind=uses[0].kind, name=uses[0].name, some=some, **totals)
