"""What has to change so that an inventory holds what a list says, in portions. Pure: values in, decision out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from contracts.endpoints import endpoint_of
from contracts.errors import Invalid
from contracts.messages.catalog import Resource
from contracts.messages.imports import MOST_AT_ONCE, ImportedRow, RemovedResource, ResourcesChanged
from contracts.resource_classes import class_of
from contracts.resource_csv import Row, says_the_same
from contracts.values import ImportId, InventoryId, OrganizationId, Value
from pydantic import Field

from catalog.imports.domain.imports import Counts, resource_id

MOST_PORTION_BYTES = 500_000
"""A portion is announced by one message, of which the broker takes 1 MiB. The largest resource has 400 kB."""


class PlannedChange(Value):
    """A resource as it will be; of one that goes, as it is."""

    resource: Resource
    revision: int = Field(description="Revision that is kept of it; 0: none, it is new")
    is_removed: bool = False
    before: Resource | None = Field(
        default=None, description="What it was, where it is changed: shown until the whole import is done"
    )


class Place(NamedTuple):
    """A row, and where in the list it is."""

    number: int
    row: Row


def by_urn(parts: Iterable[Sequence[ImportedRow]]) -> dict[str, Place]:
    """The rows of a list by their URNs, in the order of the list. Raises `Invalid` when two have the same."""
    found: dict[str, Place] = {}
    number = 0
    for part in parts:
        for row in part:
            if row.urn in found:
                raise Invalid("import_invalid", f"Two rows of the list have the URN {row.urn}.")
            name = row.name if row.name.strip() else row.urn
            found[row.urn] = Place(number, Row(row.class_, name, row.urn, row.endpoints))
            number += 1
    return found


@dataclass
class Plan:
    """The changes that lead to a list. What is there is shown to it, then it tells what is new."""

    import_id: ImportId
    inventory_id: InventoryId
    rows: dict[str, Place]
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(Counts.model_fields, 0))

    def change_of(self, resource: Resource, *, revision: int) -> PlannedChange | None:
        """What becomes of a resource that is there; None when it stays as it is."""
        place = self.rows.pop(resource.urn, None)
        if place is None:
            self.counts["removed"] += 1
            return PlannedChange(resource=resource, revision=revision, is_removed=True)
        if says_the_same(place.row, resource):
            self.counts["unchanged"] += 1
            return None
        self.counts["changed"] += 1
        # Later than the one that is kept too: that one may have grown without a change of what is said.
        facts = _said(place.row, kept_class=resource.class_) | {"revision": max(resource.revision, revision) + 1}
        if facts["class_"] != resource.class_:
            # It belongs to the class that the resource no longer has.
            facts["subclass"] = ""
        return PlannedChange(resource=resource.model_copy(update=facts), revision=revision, before=resource)

    def additions(self) -> Iterator[PlannedChange]:
        """What is new: the rows of which no resource was there, in the order of the list."""
        for place in self.rows.values():
            self.counts["added"] += 1
            facts = _said(place.row, kept_class="")
            made = Resource(
                id=resource_id(self.import_id, place.number),
                inventory_id=self.inventory_id,
                urn=place.row.urn,
                subclass="",
                service="",
                tags=(),
                excluded_from_coverage=False,
                revision=1,
                **facts,
            )
            yield PlannedChange(resource=made, revision=0)


@dataclass
class Portions:
    """Gathers changes into portions that one message can tell."""

    _gathered: list[str] = field(default_factory=list)
    _bytes: int = 0

    def take(self, change: PlannedChange) -> str | None:
        """Take a change; the portion before it, when that is full."""
        text = change.model_dump_json(by_alias=True)
        size = len(text.encode())
        full = len(self._gathered) == MOST_AT_ONCE or self._bytes + size > MOST_PORTION_BYTES
        portion = self.rest() if full else None
        self._gathered.append(text)
        self._bytes += size
        return portion

    def rest(self) -> str | None:
        """The last portion as JSON, if there is any."""
        portion = f"[{','.join(self._gathered)}]" if self._gathered else None
        self._gathered, self._bytes = [], 0
        return portion


def told(
    org: OrganizationId, changes: Sequence[PlannedChange], *, inventory_id: InventoryId, import_id: ImportId
) -> ResourcesChanged:
    """The event about a portion."""
    gone = [RemovedResource(id=c.resource.id, revision=c.revision + 1) for c in changes if c.is_removed]
    return ResourcesChanged(
        organization_id=org,
        inventory_id=inventory_id,
        import_id=import_id,
        changed=tuple(c.resource for c in changes if not c.is_removed),
        removed=tuple(gone),
    )


def _said(row: Row, *, kept_class: str) -> dict[str, object]:
    """What a row says. Another way to write the class that a resource has is no change."""
    written = class_of(row.class_)
    return {
        "name": row.name,
        "class_": kept_class if class_of(kept_class) == written else written,
        "endpoints": tuple(map(endpoint_of, row.endpoints)),
    }
