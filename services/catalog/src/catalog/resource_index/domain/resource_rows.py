"""All resources of one organization in memory, packed for searches. Pure: told what happened, asked what there is.

Messages may come twice, late and out of order, and mixed with what is read from the database: of each thing the highest
revision counts, also that of its removal.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from contracts.inventory_types import InventoryType
from contracts.values import AppId, InventoryId, ResourceId

from catalog.resource_index.domain.row_columns import Columns, Document, Tombstones, fold, text_of
from catalog.resource_index.domain.row_orders import RowOrders

T = TypeVar("T")
REMEMBERED = 16
MANY = 2000
"""Rows that change together: to make an order anew takes less time then than to put them into it one by one."""


@dataclass(frozen=True)
class KnownInventory:
    """What rows show of their inventory."""

    id: InventoryId
    name: str
    type: InventoryType
    revision: int


class ResourceRows:
    """The rows of one organization; `resource_query` and `coverage` have what is asked of them."""

    def __init__(self) -> None:
        self.columns = Columns()
        self.inventories: dict[InventoryId, KnownInventory] = {}
        self.version = 0
        """Grows with each change: what was computed from the rows holds for as long as it stays."""
        columns = self.columns
        self._orders = RowOrders(
            columns.ids,
            {
                "created": columns.ids.__getitem__,
                "name": columns.name,
                "urn": columns.urn,
                "class": lambda slot: columns.classes[columns.class_[slot]],
                "inventory": self._inventory_key,
            },
        )
        self._slots: dict[str, int] = {}
        self._removed = Tombstones()
        self._sources: dict[AppId, tuple[int, ResourceId | None]] = {}
        self._used: Counter[str] = Counter()
        self._answers: OrderedDict[object, tuple[int, Any]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._slots)

    def put(self, document: Document) -> None:
        """A resource as it is now, as a message or the database has it."""
        row_id, revision = document["id"], document["revision"]
        if self._removed.cover(row_id, revision) or self._removed.cover(document["inventory_id"], 0):
            return
        columns, slot = self.columns, self._slots.get(row_id)
        if slot is None:
            slot = self._slots[row_id] = columns.add(row_id)
            moves = True
        elif columns.revisions[slot] < revision:
            moves = self._moves(slot, document)
            if moves:
                self._orders.discard(slot)
        else:
            return
        columns.fill(slot, document, is_protected=self._used[row_id] > 0)
        if moves:
            self._orders.add(slot)
        self.version += 1

    def expect_many(self, changes: int) -> None:
        """So many rows are about to change."""
        if changes >= MANY:
            self._orders.drop()

    def remove(self, row_id: str, revision: int) -> None:
        """A resource is gone."""
        self._removed.add(row_id, revision)
        slot = self._slots.get(row_id)
        if slot is not None and self.columns.revisions[slot] < revision:
            self._vacate(slot)
            self.version += 1

    def rewind(self, row_id: str, revision: int, before: Document | None) -> None:
        """A change that led to `revision` is not to be seen yet: what was there before comes back, if anything was."""
        slot = self._slots.get(row_id)
        if slot is None or self.columns.revisions[slot] != revision:
            return
        self._vacate(slot)
        self.version += 1
        if before is not None:
            self.put(before)

    def put_inventory(self, inventory: KnownInventory) -> None:
        """An inventory as it is now."""
        known = self.inventories.get(inventory.id)
        if self._removed.cover(inventory.id, 0) or (known is not None and known.revision >= inventory.revision):
            return
        self.inventories[inventory.id] = inventory
        self._orders.drop("inventory")
        self.version += 1

    def remove_inventory(self, inventory_id: InventoryId) -> None:
        """An inventory is gone, and what was in it; its id is never used again."""
        self._removed.add(inventory_id, 0)
        # Its rows, which may still be there, are not found any more where its name had put them.
        self._orders.drop("inventory")
        self.inventories.pop(inventory_id, None)
        number = self.columns.inventories.find(inventory_id)
        gone = [slot for slot, each in enumerate(self.columns.inventory) if each == number]
        self.expect_many(len(gone))
        for slot in gone:
            self._vacate(slot)
        self.version += 1

    def put_source(self, app_id: AppId, revision: int, resource_id: ResourceId | None) -> None:
        """A source uses a resource, or none any more."""
        known = self._sources.get(app_id, (0, None))
        if known[0] >= revision:
            return
        self._sources[app_id] = revision, resource_id
        for changed, by in ((known[1], -1), (resource_id, 1)):
            if changed is not None:
                self._used[changed] += by
                if (slot := self._slots.get(changed)) is not None:
                    self.columns.protect(slot, is_protected=self._used[changed] > 0)
        self.version += 1

    def ordered_by(self, name: str) -> list[int]:
        """The slots of all rows in an order: `created`, `name`, `urn`, `class` or `inventory`. Not to be changed."""
        return self._orders.by(name, self.slots)

    def slots(self) -> Iterable[int]:
        """The slots of all rows."""
        return self._slots.values()

    def inventory_of(self, slot: int) -> KnownInventory | None:
        """The inventory of a row; None when nothing was heard of it."""
        return self.inventories.get(InventoryId(self.columns.inventories[self.columns.inventory[slot]]))

    def remembered(self, question: object, look: Callable[[], T]) -> T:
        """What `look` finds; not looked for again until something changes. Of all questions, the latest few."""
        known = self._answers.pop(question, None)
        answer = cast("T", known[1]) if known is not None and known[0] == self.version else look()
        self._answers[question] = self.version, answer
        while len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)
        return answer

    def _vacate(self, slot: int) -> None:
        self._orders.discard(slot)
        del self._slots[self.columns.ids[slot]]
        self.columns.clear(slot)

    def _moves(self, slot: int, document: Document) -> bool:
        """Whether a row has another place in some order from now on."""
        columns = self.columns
        was = (columns.texts[slot], columns.classes[columns.class_[slot]])
        return was != (text_of(document), document["class"])

    def _inventory_key(self, slot: int) -> tuple[str, str]:
        inventory_id = self.columns.inventories[self.columns.inventory[slot]]
        known = self.inventories.get(InventoryId(inventory_id))
        return (fold(known.name) if known else "", inventory_id)
