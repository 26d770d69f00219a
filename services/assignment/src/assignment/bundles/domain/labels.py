"""What renamed environments mean for a bundle. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from contracts.messages.bundles import Bundle
from contracts.messages.classification import LabelRename
from contracts.queries.classification import LabelUse

from assignment.labels.domain import KnownRenames, renamed


def described(bundle: Bundle, known: KnownRenames, renames: Sequence[LabelRename]) -> Bundle:
    """A bundle as it was just described, after the `renames` that happened since it was asked for."""
    return _after(bundle, renames).model_copy(update={"label_revision": known.revision})


def follow(bundle: Bundle, known: KnownRenames, told: LabelRename | None = None) -> Bundle | None:
    """The bundle in a new revision, when its environment was renamed since it was described; None when it was not."""
    renames = known.beyond(bundle.label_revision, told)
    after = _after(bundle, renames)
    if after.environment == bundle.environment:
        return None
    return after.model_copy(update={"label_revision": renames[-1].revision, "revision": bundle.revision + 1})


def carries(bundle: Bundle, rename: LabelRename) -> bool:
    """Whether a bundle is for the environment that is renamed."""
    return rename.kind == "environment" and bundle.environment == rename.name


def uses(bundles: Iterable[Bundle]) -> Iterator[LabelUse]:
    """The environment of each bundle that is for one."""
    for bundle in bundles:
        if bundle.environment:
            yield LabelUse(kind="environment", name=bundle.environment, some=(f"{bundle.name} (bundle)",), bundles=1)


def _after(bundle: Bundle, renames: Iterable[LabelRename]) -> Bundle:
    environment = renamed((bundle.environment,) if bundle.environment else (), "environment", renames)
    return bundle.model_copy(update={"environment": environment[0] if environment else ""})
