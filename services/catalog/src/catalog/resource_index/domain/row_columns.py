"""The columns in which the resources of an organization are packed: a row is a slot in each of them."""

import unicodedata
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Any, Generic, TypeVar

import orjson

T = TypeVar("T", bound=Hashable)
Document = Mapping[str, Any]
EXCLUDED, PROTECTED = 1, 2
FREE = 0
"""The number of no inventory: where it stands, a slot is free."""
MOST_REMOVED = 200_000
_BETWEEN = "\0"
"""Between the URN and the name in a text that is searched: no URN and no name has it."""


def fold(text: str) -> str:
    """A text as it is searched and sorted by: whatever its case, and however its accents are written."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFC", text.casefold())


class Numbers(Generic[T]):
    """Values that many rows share, by numbers from 1 on.

    One that no row has any more is forgotten, as tags may hold times, and its number is used again.
    """

    def __init__(self) -> None:
        self._numbers: dict[T, int] = {}
        self._values: list[T | None] = [None]
        self._rows: list[int] = [0]
        self._unused: list[int] = []

    def __len__(self) -> int:
        return len(self._numbers)

    def replace(self, number: int, value: T) -> int:
        """The number of a value that a row has from now on, in place of that of another one; 0: it had none."""
        added = self._numbers.get(value) or self._new(value)
        self._rows[added] += 1
        self.release(number)
        return added

    def release(self, number: int) -> None:
        """A row has a value no more; 0: it had none."""
        if not number:
            return
        self._rows[number] -= 1
        if not self._rows[number]:
            del self._numbers[self[number]]
            self._values[number] = None
            self._unused.append(number)

    def _new(self, value: T) -> int:
        if self._unused:
            number = self._unused.pop()
            self._values[number] = value
        else:
            number = len(self._values)
            self._values.append(value)
            self._rows.append(0)
        self._numbers[value] = number
        return number

    def find(self, value: T) -> int | None:
        """The number of a value; None when no row has it."""
        return self._numbers.get(value)

    def items(self) -> list[tuple[T, int]]:
        """All values and their numbers."""
        return list(self._numbers.items())

    def __getitem__(self, number: int) -> T:
        value = self._values[number]
        if value is None:
            raise KeyError(number)
        return value


class Tombstones:
    """What was removed, and in which revision: an older change that comes late does not bring it back."""

    def __init__(self, most: int = MOST_REMOVED) -> None:
        self._revisions: OrderedDict[str, int] = OrderedDict()
        self._most = most

    def add(self, removed_id: str, revision: int) -> None:
        """Something was removed. Of very many, the oldest are forgotten: nothing comes as late as that."""
        self._revisions[removed_id] = max(revision, self._revisions.pop(removed_id, revision))
        while len(self._revisions) > self._most:
            self._revisions.popitem(last=False)

    def cover(self, changed_id: str, revision: int) -> bool:
        """Whether a change is older than the removal."""
        return self._revisions.get(changed_id, -1) >= revision


class Columns:
    """Rows by their slots. `inventory`, `class_` and `tags` hold numbers of the values that rows share."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.texts: list[str] = []
        """What is searched: URN and name."""
        self.revisions: list[int] = []
        self.inventory: list[int] = []
        self.class_: list[int] = []
        self.tags: list[int] = []
        self.flags = bytearray()
        self.inventories, self.classes, self.tag_sets = Numbers[str](), Numbers[str](), Numbers[tuple[str, ...]]()
        self._packed: list[bytes] = []
        self._free: list[int] = []

    def add(self, row_id: str) -> int:
        """A slot for a new row, to be filled."""
        if self._free:
            slot = self._free.pop()
            self.ids[slot] = row_id
            return slot
        self.ids.append(row_id)
        self.texts.append("")
        self._packed.append(b"")
        self.flags.append(0)
        for column in (self.revisions, self.inventory, self.class_, self.tags):
            column.append(FREE)
        return len(self.ids) - 1

    def fill(self, slot: int, document: Document, *, is_protected: bool) -> None:
        """Put a row into its slot."""
        self.texts[slot] = text_of(document)
        self.revisions[slot] = document["revision"]
        self.inventory[slot] = self.inventories.replace(self.inventory[slot], document["inventory_id"])
        self.class_[slot] = self.classes.replace(self.class_[slot], document["class"])
        self.tags[slot] = self.tag_sets.replace(self.tags[slot], tuple(document["tags"]))
        self.flags[slot] = (EXCLUDED if document["excluded_from_coverage"] else 0) | (PROTECTED if is_protected else 0)
        # A copy: what orjson returns keeps the memory of the buffer that it was written to, about ten times as much.
        self._packed[slot] = bytes(bytearray(orjson.dumps(document)))

    def clear(self, slot: int) -> None:
        """A slot is free for another row."""
        self.ids[slot], self.texts[slot], self._packed[slot] = "", "", b""
        self.inventories.release(self.inventory[slot])
        self.classes.release(self.class_[slot])
        self.tag_sets.release(self.tags[slot])
        self.inventory[slot] = self.class_[slot] = self.tags[slot] = FREE
        self._free.append(slot)

    def protect(self, slot: int, *, is_protected: bool) -> None:
        """Whether a source uses a row."""
        self.flags[slot] = self.flags[slot] & EXCLUDED | (PROTECTED if is_protected else 0)

    def document(self, slot: int) -> dict[str, Any]:
        """All that is known of a row."""
        found: dict[str, Any] = orjson.loads(self._packed[slot])
        return found

    def urn(self, slot: int) -> str:
        """The URN as it is sorted by."""
        return self.texts[slot].partition(_BETWEEN)[0]

    def name(self, slot: int) -> str:
        """The name as it is sorted by."""
        return self.texts[slot].partition(_BETWEEN)[2]


def text_of(document: Document) -> str:
    """What of a resource is searched."""
    return f"{fold(document['urn'])}{_BETWEEN}{fold(document['name'])}"


def needle_of(text: str) -> str | None:
    """What to look for in the texts of rows; None when no row can have it."""
    return None if _BETWEEN in text else fold(text)
