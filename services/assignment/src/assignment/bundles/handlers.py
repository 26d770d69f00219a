"""Which use case handles which message."""

from functools import partial

from chassis.messaging.dispatcher import Dispatcher
from contracts.messages.bundles import (
    BundleInventoryRemoved,
    BundlesLabelRenamed,
    ChangeBundle,
    CreateBundle,
    RemoveBundle,
)
from contracts.messages.catalog import InventoryRemoved
from contracts.messages.resealing import ResealBundle
from contracts.topics import ASSIGNMENT_COMMANDS, ASSIGNMENT_EVENTS, CATALOG_EVENTS, OUTCOMES

from assignment.bundles import usecases
from assignment.bundles.store import BundleStore
from assignment.bundles.usecases import Integrations

LISTENS_TO = (ASSIGNMENT_COMMANDS, CATALOG_EVENTS)
ANNOUNCES = (ASSIGNMENT_EVENTS, OUTCOMES)


def register_handlers(dispatcher: Dispatcher, store: BundleStore, integrations: Integrations) -> None:
    """Fill the dispatcher with the handlers of bundles."""
    dispatcher.on(CreateBundle, partial(usecases.create_bundle, store, integrations))
    dispatcher.on(ChangeBundle, partial(usecases.change_bundle, store, integrations))
    dispatcher.on(ResealBundle, partial(usecases.reseal_bundle, store))
    dispatcher.on(RemoveBundle, partial(usecases.remove_bundle, store))
    dispatcher.on(InventoryRemoved, partial(usecases.note_inventory_removal, store))
    dispatcher.on(BundlesLabelRenamed, partial(usecases.rename_environment, store))
    dispatcher.on(BundleInventoryRemoved, partial(usecases.remove_bundles_of_inventory, store))
