"""The door to Kafka: which event is whose business."""

from functools import partial

from chassis.dispatcher import Dispatcher
from contracts.connector import RestorePointCreated, RestorePointRemoved
from contracts.restore_index import DirectoriesListed, RestorePointListed
from contracts.topics import CONNECTOR_EVENTS, LISTINGS, RESTORE_INDEX_EVENTS

from restore_index.store import Store
from restore_index.usecases import keeping

LISTENS_TO = (CONNECTOR_EVENTS, LISTINGS)
ANNOUNCES = (RESTORE_INDEX_EVENTS,)


def register_handlers(dispatcher: Dispatcher, store: Store) -> Dispatcher:
    """Fill the dispatcher with the handlers of the restore index; returns it."""
    dispatcher.on(RestorePointCreated, partial(keeping.note_created, store))
    dispatcher.on(RestorePointRemoved, partial(keeping.note_removed, store))
    dispatcher.on(DirectoriesListed, partial(keeping.keep_directories, store))
    dispatcher.on(RestorePointListed, partial(keeping.open_restore_point, store))
    return dispatcher
