"""The resources of all organizations, as the catalog's database has them and events tell of them. Pure."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import orjson
from contracts.messages.assignment import AppAssigned, AppReconfigured, AppRemoved
from contracts.messages.base import Message
from contracts.messages.catalog import (
    Inventory,
    InventoryChanged,
    InventoryCreated,
    InventoryRemoved,
    Resource,
    ResourceChanged,
    ResourceRegistered,
    ResourceRemoved,
)
from contracts.messages.imports import MOST_AT_ONCE, ImportApplied, ResourcesChanged
from contracts.values import AppId, ImportId, InventoryId, OrganizationId, ResourceId

from catalog.imports.domain import plans
from catalog.imports.domain.imports import Import
from catalog.imports.domain.plans import PlannedChange
from catalog.resource_index.domain.resource_rows import KnownInventory, ResourceRows
from catalog.resource_index.domain.row_columns import Document

HEARD: tuple[type[Message], ...] = (
    *(InventoryCreated, InventoryChanged, InventoryRemoved),
    *(ResourceRegistered, ResourceChanged, ResourceRemoved, ResourcesChanged, ImportApplied),
    *(AppAssigned, AppReconfigured, AppRemoved),
)
"""The messages that change something here."""
MOST_SHOWN = 10_000


@dataclass
class HeldBack:
    """What an import changes, until all of it is known: nobody sees half of a list."""

    inventory_id: InventoryId
    portions: list[bytes] = field(default_factory=list)
    """Packed: a list may have very many rows."""

    def add(self, event: ResourcesChanged) -> None:
        """A portion of the import."""
        removed = [(each.id, each.revision) for each in event.removed]
        self.portions.append(orjson.dumps((list(map(document_of, event.changed)), removed)))


class AllRows:
    """All rows, by organization. Events may come twice, late, and mixed with what is read from the database."""

    def __init__(self) -> None:
        self._rows: dict[OrganizationId, ResourceRows] = {}
        self._held: dict[tuple[OrganizationId, ImportId], HeldBack] = {}
        self._shown: OrderedDict[ImportId, None] = OrderedDict()

    def of(self, org: OrganizationId) -> ResourceRows:
        """The rows of an organization; none, for one of which nothing was heard."""
        return self._rows.get(org) or ResourceRows()

    def put_resources(self, found: Iterable[tuple[OrganizationId, Resource]]) -> None:
        """Resources as they are kept."""
        for org, resource in found:
            self._of(org).put(document_of(resource))

    def put_inventory(self, org: OrganizationId, inventory: Inventory) -> None:
        """An inventory as it is kept."""
        known = KnownInventory(inventory.id, inventory.name, inventory.type, inventory.revision)
        self._of(org).put_inventory(known)

    def put_source(self, org: OrganizationId, app_id: AppId, revision: int, resource_id: ResourceId | None) -> None:
        """A source uses a resource, or none any more."""
        self._of(org).put_source(app_id, revision, resource_id)

    def take(self, event: Message) -> Iterator[None]:
        """Take one of `HEARD`, step by step: between the steps nothing may be read."""
        org = event.organization_id
        match event:
            case ResourceRegistered():
                self._of(org).put(document_of(event.resource))
            case ResourceRemoved():
                self._of(org).remove(event.resource_id, event.revision)
            case ResourcesChanged():
                self._take_many(org, event)
            case ImportApplied():
                yield from self._show(org, event.import_id)
            case InventoryCreated():
                self.put_inventory(org, event.inventory)
            case InventoryRemoved():
                self._of(org).remove_inventory(event.inventory_id)
                self._held = {k: each for k, each in self._held.items() if each.inventory_id != event.inventory_id}
            case AppAssigned():
                if event.app.kind == "source":
                    self.put_source(org, event.app_id, event.app.revision, event.app.resource.id)
            case AppRemoved():
                self.put_source(org, event.app_id, event.revision, None)

    def hold_back(self, org: OrganizationId, current: Import, changes: Sequence[PlannedChange]) -> None:
        """A portion of an import that is being carried out: what was there before it is shown, until all of it is done.

        The portion may be in the database already, and its event may have come before this process listened.
        """
        if current.id in self._shown:
            return
        rows = self._of(org)
        for change in changes:
            if change.is_removed:
                rows.put(document_of(change.resource))
            elif not change.revision or change.before is not None:
                before = document_of(change.before) if change.before is not None else None
                rows.rewind(change.resource.id, change.resource.revision, before)
        told = plans.told(org, changes, inventory_id=current.inventory_id, import_id=current.id)
        self._hold(org, current.id, told)

    def note_shown(self, import_id: ImportId) -> None:
        """Nothing of an import is held back any more, nor of those of its events that come once more."""
        self._shown[import_id] = None
        while len(self._shown) > MOST_SHOWN:
            self._shown.popitem(last=False)

    def is_shown(self, import_id: ImportId) -> bool:
        """Whether an import was applied."""
        return import_id in self._shown

    def _of(self, org: OrganizationId) -> ResourceRows:
        return self._rows.setdefault(org, ResourceRows())

    def _take_many(self, org: OrganizationId, event: ResourcesChanged) -> None:
        if event.import_id is not None and event.import_id not in self._shown:
            self._hold(org, event.import_id, event)
            return
        rows = self._of(org)
        for resource in event.changed:
            rows.put(document_of(resource))
        for gone in event.removed:
            rows.remove(gone.id, gone.revision)

    def _hold(self, org: OrganizationId, import_id: ImportId, event: ResourcesChanged) -> None:
        self._held.setdefault((org, import_id), HeldBack(event.inventory_id)).add(event)

    def _show(self, org: OrganizationId, import_id: ImportId) -> Iterator[None]:
        self.note_shown(import_id)
        held, rows = self._held.pop((org, import_id), None), self._of(org)
        if held is None:
            return
        rows.expect_many(len(held.portions) * MOST_AT_ONCE)
        for portion in held.portions:
            changed, removed = orjson.loads(portion)
            for document in changed:
                rows.put(document)
            for row_id, revision in removed:
                rows.remove(row_id, revision)
            yield


def document_of(resource: Resource) -> Document:
    """A resource as rows take it."""
    return resource.model_dump(mode="json", by_alias=True)
