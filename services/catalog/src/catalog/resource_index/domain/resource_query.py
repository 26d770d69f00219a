"""What is asked of the resources of an organization: filters, a search, an order, a page. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.queries.catalog import CoverageStatus, ListedResource, ResourceSort
from contracts.resource_classes import class_of
from contracts.values import InventoryId

from catalog.resource_index.domain.resource_rows import ResourceRows
from catalog.resource_index.domain.row_columns import EXCLUDED, PROTECTED, needle_of

STATUSES: Sequence[CoverageStatus] = ("unprotected", "excluded", "protected", "excluded")
"""By the flags of a row: what is left out of coverage counts as neither, whether or not a source uses it."""


@dataclass(frozen=True)
class ResourceQuery:
    """Which resources, in which order. Nothing set: all of them, oldest first."""

    inventory_id: InventoryId | None = None
    classes: frozenset[str] = field(default=frozenset())
    exclude_classes: frozenset[str] = field(default=frozenset())
    tags: frozenset[str] = field(default=frozenset())
    """All of which a resource must have."""
    status: CoverageStatus | None = None
    search: str = ""
    sort: ResourceSort = "created"


def status_of(flags: int) -> CoverageStatus:
    """The protection status that flags stand for."""
    return STATUSES[flags & (EXCLUDED | PROTECTED)]


def select(rows: ResourceRows, query: ResourceQuery) -> list[int]:
    """The slots of the rows that are asked for, in order."""
    return rows.remembered(query, lambda: _select(rows, query))


def listed(rows: ResourceRows, slot: int) -> ListedResource:
    """A row as it is listed."""
    inventory, facts = rows.inventory_of(slot), rows.columns.document(slot)
    shown: dict[str, Any] = {"coverage_status": status_of(rows.columns.flags[slot])}
    if inventory is not None:
        shown |= {"inventory_name": inventory.name, "inventory_type": inventory.type}
    return ListedResource.model_validate({**facts, **shown})


def _select(rows: ResourceRows, query: ResourceQuery) -> list[int]:
    columns = rows.columns
    order = rows.ordered_by(query.sort.removeprefix("-"))
    slots = order[::-1] if query.sort.startswith("-") else order
    # One after the other, the cheapest first: each is one pass over what the one before has left.
    if query.inventory_id is not None:
        number, inventory = columns.inventories.find(query.inventory_id), columns.inventory
        slots = [slot for slot in slots if inventory[slot] == number]
    if query.classes or query.exclude_classes:
        slots = _of(slots, columns.class_, _numbers(columns.classes.items(), _class_filter(query)))
    if query.tags:
        slots = _of(slots, columns.tags, _numbers(columns.tag_sets.items(), query.tags.issubset))
    if query.status is not None:
        wanted, flags = {each for each in range(4) if status_of(each) == query.status}, columns.flags
        slots = [slot for slot in slots if flags[slot] in wanted]
    if query.search:
        needle, texts = needle_of(query.search), columns.texts
        slots = [slot for slot in slots if needle in texts[slot]] if needle is not None else []
    return slots


def _class_filter(query: ResourceQuery) -> Callable[[str], bool]:
    wanted, unwanted = (set(map(class_of, each)) for each in (query.classes, query.exclude_classes))
    return lambda written: (not wanted or class_of(written) in wanted) and class_of(written) not in unwanted


def _numbers(values: Sequence[tuple[Any, int]], is_wanted: Callable[[Any], bool]) -> set[int]:
    return {number for value, number in values if is_wanted(value)}


def _of(slots: Sequence[int], column: Sequence[int], numbers: set[int]) -> list[int]:
    return [slot for slot in slots if column[slot] in numbers]
