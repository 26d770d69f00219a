"""Imports as they are kept: the list in parts until it is planned, the plan in portions until it is carried out."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.ids import utc_now
from chassis.persistence.aggregates import Aggregate, Aggregates, Keys, Rewrite
from chassis.persistence.mongo_aggregates import MongoAggregates
from chassis.runtime.service_runtime import ServiceRuntime
from contracts.messages.imports import ImportedRow
from contracts.values import ImportId, InventoryId, OrganizationId, Value
from pydantic import TypeAdapter

from catalog.imports.domain.imports import Import
from catalog.imports.domain.plans import PlannedChange

_ROWS, _CHANGES = TypeAdapter(tuple[ImportedRow, ...]), TypeAdapter(list[PlannedChange])
_AT_ONCE = 16


class Piece(Value):
    """A part of a list, or a portion of a plan; as text, which databases keep and read much faster than documents."""

    import_id: ImportId
    day: str
    text: str


def import_keys(one: Import) -> Keys:
    """What queries for imports lead with."""
    return {"inventory_id": one.inventory_id, "state": one.state}


def piece_keys(piece: Piece) -> Keys:
    """What queries for pieces lead with."""
    return {"day": piece.day, "import_id": piece.import_id}


@dataclass(frozen=True)
class ImportStore:
    """Imports, their lists and their plans."""

    imports: Aggregates[Import]
    parts: Aggregates[Piece]
    portions: Aggregates[Piece]
    clock: Callable[[], datetime] = utc_now

    def part_id(self, import_id: ImportId, part: int) -> str:
        """Where a part of a list is kept."""
        return f"{import_id}.{part}"

    def part_of(self, import_id: ImportId, rows: Sequence[ImportedRow]) -> Piece:
        """A part of a list as it is kept."""
        return self._piece(import_id, _ROWS.dump_json(tuple(rows), by_alias=True).decode())

    async def rows(self, org: OrganizationId, import_id: ImportId, part: int) -> Sequence[ImportedRow] | None:
        """The rows of a part; None when it is not there."""
        piece = await self.parts.get(org, self.part_id(import_id, part))
        return _ROWS.validate_json(piece.text) if piece is not None else None

    async def keep_portion(self, org: OrganizationId, begun: Import, number: int, text: str) -> None:
        """Keep a portion of the plan that was begun."""
        id_, piece = _portion_id(begun, number), self._piece(begun.id, text)
        await self.portions.save_many(org, [Rewrite(id_, 0, None, piece)])

    async def changes(self, org: OrganizationId, planned: Import, number: int) -> list[PlannedChange]:
        """The changes of a portion. Raises `LookupError` when it is not there, which no import in progress outlives."""
        piece = await self.portions.get(org, _portion_id(planned, number))
        if piece is None:
            raise LookupError(f"portion {number} of import {planned.id} is missing")
        return _CHANGES.validate_json(piece.text)

    async def unfinished(self, org: OrganizationId, inventory_id: InventoryId) -> list[Import]:
        """Imports of an inventory of which some portions are saved, oldest first."""
        return (await self.imports.find(org, {"inventory_id": inventory_id, "state": "applying"})).items

    async def tidy(self, org: OrganizationId, done: Import, *, parts: int) -> None:
        """Remove the list and the plan of an import that is over."""
        await _drop(self.parts, org, (self.part_id(done.id, part) for part in range(parts)))
        await _drop(self.portions, org, (_portion_id(done, number) for number in range(done.portions)))

    def _piece(self, import_id: ImportId, text: str) -> Piece:
        return Piece(import_id=import_id, day=day_of(self.clock()), text=text)


async def open_imports(runtime: ServiceRuntime) -> ImportStore:
    """The store in MongoDB, with its indexes made."""
    database, outbox = runtime.database, runtime.outbox
    in_progress = (("org", "inventory_id", "state", "_id"),)  # unfinished
    imports = MongoAggregates(database["imports"], Import, outbox, keys=import_keys, indexes=in_progress)
    # Leftovers.forget
    parts = MongoAggregates(database["import_parts"], Piece, outbox, keys=piece_keys, indexes=(("day", "import_id"),))
    portions = MongoAggregates(
        database["import_portions"], Piece, outbox, keys=piece_keys, indexes=(("day", "import_id"),)
    )
    for aggregates in (imports, parts, portions):
        await aggregates.setup()
    return ImportStore(imports, parts, portions)


def day_of(moment: datetime) -> str:
    """The day a piece is kept under."""
    return moment.date().isoformat()


def _portion_id(one: Import, number: int) -> str:
    # With the attempt: a plan that was begun and not finished may have been another one.
    return f"{one.id}.{one.attempt}.{number}"


async def _drop(pieces: Aggregates[Piece], org: OrganizationId, ids: Iterable[str]) -> None:
    """Remove pieces, each as it was first saved; what is left is forgotten by its age."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def drop(id_: str) -> None:
        async with slots:
            await pieces.drop(Aggregate(id_, org, revision=1))

    steps: list[Awaitable[None]] = [drop(id_) for id_ in ids]
    await asyncio.gather(*steps)
