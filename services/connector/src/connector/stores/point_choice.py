"""Which restore points of a store the options of a task mean."""

from collections.abc import Collection
from dataclasses import dataclass

from contracts.errors import NotFound
from contracts.messages.assignment import App
from contracts.messages.restore_index import RestorePoint
from contracts.point_filters import PointFilter, PointSelection
from contracts.tasks import TaskOptions
from contracts.values import OrganizationId
from contracts.wording import counted, seconds
from restic_reader import Repository, Snapshot
from restic_reader.errors import Damaged, SnapshotNotFound

from connector.domain.named_points import is_whole_id, require_named
from connector.stores.restore_points import restore_point_of


def selection_of(options: TaskOptions) -> PointSelection:
    """What the options of a task say about restore points."""
    return PointSelection.model_validate(options.model_dump(include=set(PointSelection.model_fields)))


def only_id(selection: PointSelection) -> str | None:
    """The one restore point that is meant by its whole id alone, if so."""
    named = selection.snapshot_id
    is_alone = named and is_whole_id(named) and selection == PointSelection(snapshot_id=named)
    return named if is_alone else None


def with_whole_ids(selection: PointSelection, there: Collection[str], *, store: str) -> PointSelection:
    """The same with its ids written out; `there` are those of all restore points in the store.

    Raises `NamedPointsNotFound` unless each of them means one restore point.
    """
    if not selection.named_ids:
        return selection
    found = require_named(selection.named_ids, there, store=store)
    only = found[0] if len(found) == 1 else None
    return selection.model_copy(update={"snapshot_id": only, "snapshot_ids": () if only else found})


class NoRestorePoint(NotFound):
    """Nothing in a store fulfils the conditions."""

    def __init__(self, store: str, options: PointSelection, *, there: int) -> None:
        conditions = conditions_in_words(options)
        what = f"fulfils all conditions ({conditions})" if conditions else "is there"
        count = counted(there, "restore point")
        super().__init__("no_restore_point", f"Of the {count} in the store {store!r} none {what}.")


@dataclass(frozen=True)
class PointChoice:
    """The restore points that are meant, newest first."""

    chosen: tuple[RestorePoint, ...]
    there: int
    """How many the store has."""
    unreadable: tuple[Damaged, ...] = ()
    """Why some that may be meant could not be looked at, if so."""

    @property
    def source_count(self) -> int:
        """How many sources they are of."""
        return len({point.source_id or point.hostname for point in self.chosen})


@dataclass(frozen=True)
class PointsThere:
    """What may be chosen from."""

    options: PointSelection
    """With whole ids."""
    points: tuple[RestorePoint, ...]
    """Where one alone is named, that one; else all that can be read."""
    unreadable: dict[str, Damaged]
    """Why others cannot, by their ids."""


def look_at_points(repository: Repository, options: PointSelection, *, org: OrganizationId, store: App) -> PointsThere:
    """What the store has, of which the options mean some. Blocks.

    Raises `NamedPointsNotFound` unless all that are named are there, and what is wrong with one that is meant by its
    id alone.
    """
    if options.named_ids:
        options = with_whole_ids(options, repository.snapshot_ids(), store=store.name)
    if named := only_id(options):
        snapshots, unreadable = [repository.snapshot(named)], dict[str, Damaged]()
    else:
        snapshots, unreadable = _readable(repository)
    points = tuple(restore_point_of(each, org=org, store_id=store.id) for each in snapshots)
    return PointsThere(options, points, unreadable)


def _readable(repository: Repository) -> tuple[list[Snapshot], dict[str, Damaged]]:
    """All snapshots that can be read: a damaged one must not keep anybody from the others."""
    try:
        return repository.snapshots(), {}
    except Damaged:
        readable, unreadable = list[Snapshot](), dict[str, Damaged]()
    for snapshot_id in repository.snapshot_ids():
        try:
            readable.append(repository.snapshot(snapshot_id))
        except Damaged as error:
            unreadable[snapshot_id] = error
        except SnapshotNotFound:
            continue  # Removed since they were listed.
    return readable, unreadable


def conditions_in_words(options: PointSelection) -> str:
    """What narrows a choice, empty for nothing: `labels a, b; source 0198...`."""
    told = {
        "ids": options.named_ids,
        "labels": options.labels,
        "older than": _seconds(options.before),
        "younger than": _seconds(options.after),
        **{name.replace("_", " "): value for name, value in _filters(options.locate.filters).items()},
    }
    return "; ".join(f"{name} {_listed(value)}" for name, value in told.items() if value)


def _filters(filters: PointFilter) -> dict[str, object]:
    fields = PointFilter.model_fields
    return {name: value for name, value in filters if value != fields[name].default and name != "latest"}


def _seconds(age: float | None) -> str:
    return "" if age is None else seconds(age)


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
