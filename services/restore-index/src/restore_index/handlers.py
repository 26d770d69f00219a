"""Which use case handles which event from Kafka."""

from datetime import timedelta
from functools import partial

from chassis.messaging.dispatcher import Dispatcher
from contracts.messages.assignment import AppRemoved
from contracts.messages.connector.stores import RestorePointCreated, RestorePointRemoved
from contracts.messages.protection import (
    ClaimDeletion,
    LiftLegalHold,
    ReleaseDeletion,
    SetLegalHold,
    SetRetentionFloor,
)
from contracts.messages.restore_index import DirectoriesListed, RestorePointDamaged, RestorePointListed, StoreSweepDue
from contracts.messages.scheduler import JobChanged
from contracts.topics import (
    ASSIGNMENT_EVENTS,
    CONNECTOR_EVENTS,
    LISTINGS,
    OUTCOMES,
    RESTORE_INDEX_COMMANDS,
    RESTORE_INDEX_EVENTS,
    SCHEDULER_EVENTS,
)

from restore_index.store import Store
from restore_index.usecases import garbage_collection, indexing, protection

LISTENS_TO = (
    RESTORE_INDEX_COMMANDS,
    CONNECTOR_EVENTS,
    LISTINGS,
    ASSIGNMENT_EVENTS,
    RESTORE_INDEX_EVENTS,
    SCHEDULER_EVENTS,
)
ANNOUNCES = (RESTORE_INDEX_EVENTS, OUTCOMES)


def register_handlers(dispatcher: Dispatcher, store: Store, *, grace: timedelta) -> Dispatcher:
    """Fill the dispatcher with the handlers of the restore index; returns it."""
    dispatcher.on(RestorePointCreated, partial(indexing.record_created, store))
    dispatcher.on(RestorePointRemoved, partial(indexing.record_removed, store))
    dispatcher.on(DirectoriesListed, partial(indexing.index_directories, store))
    dispatcher.on(RestorePointListed, partial(indexing.make_browsable, store))
    dispatcher.on(RestorePointDamaged, partial(indexing.record_damaged, store))
    dispatcher.on(StoreSweepDue, partial(garbage_collection.collect_garbage, store, grace=grace))
    dispatcher.on(AppRemoved, partial(garbage_collection.schedule_store_removal, store))
    dispatcher.on(SetLegalHold, partial(protection.set_hold, store))
    dispatcher.on(LiftLegalHold, partial(protection.lift_hold, store))
    dispatcher.on(SetRetentionFloor, partial(protection.set_floor, store))
    dispatcher.on(ClaimDeletion, partial(protection.claim_deletion, store))
    dispatcher.on(ReleaseDeletion, partial(protection.release_deletion, store))
    dispatcher.on(JobChanged, partial(protection.end_claims, store))
    return dispatcher
