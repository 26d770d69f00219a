"""What an import is and how far it is. Pure: values in, decision out."""

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from contracts.errors import Conflict, Invalid
from contracts.messages.catalog import ResourceDescription
from contracts.messages.imports import MOST_AT_ONCE, ApplyImport, ImportApplied, ImportedRow, StageImport
from contracts.resource_rules import faults_of
from contracts.values import ImportId, InventoryId, OrganizationId, ResourceId, Value
from pydantic import Field, JsonValue

State = Literal["planning", "applying", "applied"]


class Counts(Value):
    """What an import does to the resources of its inventory."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0


class Import(Value):
    """A list that replaces what an inventory holds, and how far that is."""

    id: ImportId
    inventory_id: InventoryId
    state: State = "planning"
    attempt: int = Field(default=1, description="How often its plan was begun; of earlier plans nothing was done")
    portions: int = Field(default=0, description="Portions of its plan")
    done: int = Field(default=0, description="Portions that were saved and announced")
    counts: Counts = Counts()


def begin(current: Import | None, command: ApplyImport) -> Import:
    """The import as its plan is begun, once more if that was begun before and not finished."""
    if current is None:
        return Import(id=command.import_id, inventory_id=command.inventory_id)
    return current.model_copy(update={"attempt": current.attempt + 1})


def planned(current: Import, counts: Counts, *, portions: int) -> Import:
    """The import with its plan: from now on it is carried out."""
    return current.model_copy(update={"state": "applying", "counts": counts, "portions": portions})


def portion_done(current: Import) -> Import:
    """The import after one portion more."""
    return current.model_copy(update={"done": current.done + 1})


def applied(current: Import) -> Import:
    """The import after all portions."""
    return current.model_copy(update={"state": "applied"})


def announcement(org: OrganizationId, current: Import) -> ImportApplied:
    """What readers of the list wait for."""
    return ImportApplied(
        organization_id=org, inventory_id=current.inventory_id, import_id=current.id, **dict(current.counts)
    )


def result_of(current: Import) -> dict[str, JsonValue]:
    """What the sender of the import learns."""
    return {"import_id": current.id, **current.counts.model_dump()}


def check_part(command: StageImport) -> None:
    """Raise `Invalid` for a part that no import can have."""
    _time_of(command.import_id)
    if command.part < 0 or not 0 < len(command.rows) <= MOST_AT_ONCE:
        raise Invalid("import_invalid", f"A part of an import has 1 to {MOST_AT_ONCE} rows and a place from 0 on.")
    faults = {f"rows.{place}.{name}": fault for place, name, fault in _faults(command.rows)}
    if faults:
        words = "; ".join(f"{place} {fault}" for place, fault in list(faults.items())[:5])
        raise Invalid("import_invalid", f"Rows of the import cannot be used: {words}.", fields=faults)


def complete(parts: Sequence[Sequence[ImportedRow] | None], *, rows: int) -> list[Sequence[ImportedRow]]:
    """The parts of a list. Raises `Conflict` when some are missing."""
    found = [part for part in parts if part is not None]
    if len(found) < len(parts) or sum(map(len, found)) != rows:
        raise Conflict("import_incomplete", "Parts of the list are missing. Send the whole list again.")
    return found


def resource_id(import_id: ImportId, place: int) -> ResourceId:
    """Id of the resource that a row becomes: the same each time, and in the order of the list."""
    # A UUIDv7 of the import's time: 24 bits for the place, then 50 that follow from the import and the place.
    noise = int.from_bytes(hashlib.sha256(f"{import_id}\x1f{place}".encode()).digest()[:8]) >> 14
    bits = _time_of(import_id) << 80 | 0x7 << 76 | (place >> 12) << 64 | 0x2 << 62 | (place & 0xFFF) << 50 | noise
    return ResourceId(str(uuid.UUID(int=bits)))


def _time_of(import_id: ImportId) -> int:
    try:
        made = uuid.UUID(import_id)
    except ValueError:
        made = None
    if made is None or made.version != 7:
        raise Invalid("import_invalid", "The id of an import is a UUIDv7.")
    return made.int >> 80


def _faults(rows: Iterable[ImportedRow]) -> Iterator[tuple[int, str, str]]:
    for place, row in enumerate(rows):
        described = ResourceDescription(urn=row.urn, name=row.name, class_=row.class_, endpoints=row.endpoints)
        for name, fault in faults_of(described).items():
            yield place, name, fault
