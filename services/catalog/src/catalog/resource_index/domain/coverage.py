"""How many resources there are, of which classes, and how many of them are protected. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from contracts.inventory_types import SELF_MANAGED, InventoryType
from contracts.queries.catalog import ClassSummary, Coverage
from contracts.resource_classes import class_of, title_of
from contracts.values import InventoryId

from catalog.resource_index.domain.resource_query import status_of
from catalog.resource_index.domain.resource_rows import ResourceRows
from catalog.resource_index.domain.row_columns import FREE

UNCLASSIFIED = "Without a class"
Counts = Counter[tuple[str, int]]
"""By class and flags."""


@dataclass(frozen=True)
class InventoryFigures:
    """What an inventory holds."""

    count: int
    coverage: Coverage
    summaries: tuple[ClassSummary, ...]


def figures_of(rows: ResourceRows, inventory_id: InventoryId, type_: InventoryType) -> InventoryFigures:
    """What an inventory holds."""
    counts = _counts(rows).get(inventory_id, Counter())
    classes: Counter[str] = Counter()
    for (written, _), number in counts.items():
        classes[class_of(written)] += number
    summaries = [
        ClassSummary(class_=class_, name=title_of(class_) or UNCLASSIFIED, count=number)
        for class_, number in sorted(classes.items())
    ]
    return InventoryFigures(counts.total(), _coverage([(type_, counts)]), tuple(summaries))


def coverage_of(rows: ResourceRows) -> Coverage:
    """The coverage of all inventories of the organization together."""
    counts = _counts(rows)
    return _coverage((each.type, counts.get(each.id, Counter())) for each in rows.inventories.values())


def tag_sets_of(rows: ResourceRows) -> dict[tuple[str, ...], int]:
    """How many resources have each set of tags."""
    return rows.remembered("tag sets", lambda: _tag_sets(rows))


def _tag_sets(rows: ResourceRows) -> dict[tuple[str, ...], int]:
    columns = rows.columns
    numbers = Counter(columns.tags[slot] for slot in rows.slots())
    return {columns.tag_sets[number]: count for number, count in numbers.items()}


def _coverage(inventories: Iterable[tuple[InventoryType, Counts]]) -> Coverage:
    found: Counter[str] = Counter()
    for type_, counts in inventories:
        for (class_, flags), number in counts.items():
            # Of what a provider lists, much is nothing to protect: only what has a class counts.
            if class_ or type_ == SELF_MANAGED:
                found[status_of(flags)] += number
    return Coverage(**found)


def _counts(rows: ResourceRows) -> dict[str, Counts]:
    return rows.remembered("counts", lambda: _count(rows))


def _count(rows: ResourceRows) -> dict[str, Counts]:
    columns = rows.columns
    found: dict[str, Counts] = {}
    all_rows = zip(columns.inventory, columns.class_, columns.flags, strict=True)
    for (inventory, class_, flags), number in Counter(all_rows).items():
        if inventory != FREE:
            counts = found.setdefault(columns.inventories[inventory], Counter())
            counts[columns.classes[class_], flags] += number
    return found
