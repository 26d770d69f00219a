"""Which use case handles which message."""

from functools import partial

from chassis.messaging.dispatcher import Dispatcher
from contracts.messages.assignment import AppRemoved
from contracts.messages.connector.connection_tests import ConnectionTested
from contracts.messages.connector.stores import StoreInitialized
from contracts.topics import ASSIGNMENT_EVENTS, CONNECTOR_EVENTS

from assignment.connection_tests import usecases
from assignment.connection_tests.store import ConnectionTestStore
from assignment.connection_tests.usecases import IsThere

LISTENS_TO = (ASSIGNMENT_EVENTS, CONNECTOR_EVENTS)


def register_handlers(dispatcher: Dispatcher, store: ConnectionTestStore, is_there: IsThere) -> Dispatcher:
    """Fill the dispatcher with the handlers of this area; returns it."""
    dispatcher.on(ConnectionTested, partial(usecases.note_test, store, is_there))
    dispatcher.on(StoreInitialized, partial(usecases.note_storage, store, is_there))
    dispatcher.on(AppRemoved, partial(usecases.forget_tests, store))
    return dispatcher
