"""Which use case handles which command."""

from functools import partial

from chassis.messaging.dispatcher import Dispatcher
from contracts.messages.catalog import (
    ChangeInventory,
    ChangeResource,
    CreateInventory,
    FlagResource,
    RegisterResource,
    RemoveInventory,
    RemoveResource,
)
from contracts.messages.resealing import ResealInventory
from contracts.topics import CATALOG_COMMANDS, CATALOG_EVENTS, OUTCOMES

from catalog.inventories import usecases
from catalog.inventories.store import InventoryStore

LISTENS_TO = (CATALOG_COMMANDS,)
ANNOUNCES = (CATALOG_EVENTS, OUTCOMES)


def register_handlers(dispatcher: Dispatcher, store: InventoryStore, *, removals_at_once: int) -> Dispatcher:
    """Fill the dispatcher with the handlers of inventories and resources; returns it."""
    dispatcher.on(CreateInventory, partial(usecases.create_inventory, store))
    dispatcher.on(ChangeInventory, partial(usecases.change_inventory, store))
    dispatcher.on(ResealInventory, partial(usecases.reseal_inventory, store))
    dispatcher.on(RemoveInventory, partial(usecases.remove_inventory, store, at_once=removals_at_once))
    dispatcher.on(RegisterResource, partial(usecases.register_resource, store))
    dispatcher.on(ChangeResource, partial(usecases.change_resource, store))
    dispatcher.on(FlagResource, partial(usecases.flag_resource, store))
    dispatcher.on(RemoveResource, partial(usecases.remove_resource, store))
    return dispatcher
