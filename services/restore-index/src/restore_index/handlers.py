"""The door to Kafka: which event is whose business."""

from datetime import timedelta
from functools import partial

from chassis.messaging.dispatcher import Dispatcher
from contracts.messages.assignment import AppRemoved
from contracts.messages.connector import RestorePointCreated, RestorePointRemoved
from contracts.messages.restore_index import DirectoriesListed, RestorePointDamaged, RestorePointListed, StoreSweepDue
from contracts.topics import ASSIGNMENT_EVENTS, CONNECTOR_EVENTS, LISTINGS, RESTORE_INDEX_EVENTS

from restore_index.store import Store
from restore_index.usecases import keeping, sweeping

LISTENS_TO = (CONNECTOR_EVENTS, LISTINGS, ASSIGNMENT_EVENTS, RESTORE_INDEX_EVENTS)
ANNOUNCES = (RESTORE_INDEX_EVENTS,)


def register_handlers(dispatcher: Dispatcher, store: Store, *, sweep_grace: timedelta) -> Dispatcher:
    """Fill the dispatcher with the handlers of the restore index; returns it."""
    dispatcher.on(RestorePointCreated, partial(keeping.note_created, store))
    dispatcher.on(RestorePointRemoved, partial(keeping.note_removed, store))
    dispatcher.on(DirectoriesListed, partial(keeping.keep_directories, store))
    dispatcher.on(RestorePointListed, partial(keeping.open_restore_point, store))
    dispatcher.on(RestorePointDamaged, partial(keeping.note_damaged, store))
    dispatcher.on(StoreSweepDue, partial(sweeping.sweep_store, store, grace=sweep_grace))
    dispatcher.on(AppRemoved, partial(sweeping.forget_store, store))
    return dispatcher
