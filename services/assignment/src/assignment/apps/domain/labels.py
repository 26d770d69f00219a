"""What renamed labels mean for an app: it has those that it was described with, as they are called now. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from contracts.messages.assignment import App
from contracts.messages.classification import LabelKind, LabelRename
from contracts.queries.classification import LabelUse

from assignment.labels.domain import KnownRenames, renamed


def described(app: App, known: KnownRenames, renames: Sequence[LabelRename]) -> App:
    """An app as it was just described, after the `renames` that happened since it was asked for."""
    return _after(app, renames).model_copy(update={"label_revision": known.revision})


def follow(app: App | None, known: KnownRenames, told: LabelRename | None = None) -> App | None:
    """The app in a new revision, when labels of it were renamed since it was described; None when none was."""
    renames = known.beyond(app.label_revision, told) if app else ()
    if app is None or not renames:
        return None
    after = _after(app, renames)
    # One that carries none of them is left as it is: from where it was, later renames lead to the same.
    if (after.environment, after.data_classes) == (app.environment, app.data_classes):
        return None
    return after.model_copy(update={"label_revision": renames[-1].revision, "revision": app.revision + 1})


def carries(app: App, rename: LabelRename) -> bool:
    """Whether an app has the label that is renamed."""
    return rename.name in _labels(app, rename.kind)


def uses(apps: Iterable[App]) -> Iterator[LabelUse]:
    """Each label of each app once."""
    for app in apps:
        for kind, labels in _all_labels(app):
            for name in dict.fromkeys(labels):
                yield LabelUse(kind=kind, name=name, some=(f"{app.name} ({app.kind})",), **{f"{app.kind}s": 1})


def _after(app: App, renames: Iterable[LabelRename]) -> App:
    renames = tuple(renames)
    environment = renamed(_labels(app, "environment"), "environment", renames)
    data_classes = renamed(app.data_classes, "data_class", renames)
    return app.model_copy(update={"environment": environment[0] if environment else "", "data_classes": data_classes})


def _labels(app: App, kind: LabelKind) -> tuple[str, ...]:
    if kind == "data_class":
        return app.data_classes
    return (app.environment,) if app.environment else ()


def _all_labels(app: App) -> Iterator[tuple[LabelKind, tuple[str, ...]]]:
    yield "environment", _labels(app, "environment")
    yield "data_class", app.data_classes
