"""Which use case handles which command."""

from functools import partial

from chassis.messaging.dispatcher import Dispatcher
from contracts.messages.imports import ApplyImport, StageImport

from catalog.imports import usecases
from catalog.imports.store import ImportStore
from catalog.inventories.store import InventoryStore


def register_handlers(dispatcher: Dispatcher, store: ImportStore, inventories: InventoryStore) -> Dispatcher:
    """Fill the dispatcher with the handlers of imports; returns it."""
    dispatcher.on(StageImport, partial(usecases.stage_import, store))
    dispatcher.on(ApplyImport, partial(usecases.apply_import, store, inventories))
    return dispatcher
