"""Which use case hears of which event."""

from functools import partial

from chassis.messaging.dispatcher import Dispatcher
from contracts.messages.assignment import AppAssigned, AppReconfigured, AppRemoved
from contracts.topics import ASSIGNMENT_EVENTS

from catalog.resource_index import usecases
from catalog.resource_index.store.sources import SourceStore

LISTENS_TO = (ASSIGNMENT_EVENTS,)


def register_handlers(dispatcher: Dispatcher, store: SourceStore) -> Dispatcher:
    """Fill the dispatcher with the handlers of what sources tell; returns it."""
    dispatcher.on(AppAssigned, partial(usecases.note_source, store))
    dispatcher.on(AppReconfigured, partial(usecases.note_source, store))
    dispatcher.on(AppRemoved, partial(usecases.forget_source, store))
    return dispatcher
