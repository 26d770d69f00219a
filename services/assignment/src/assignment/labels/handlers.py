"""Which use case handles which message."""

from collections.abc import Sequence
from functools import partial

from chassis.messaging.dispatcher import Dispatcher
from contracts.messages.classification import LabelRenamed
from contracts.topics import ASSIGNMENT_COMMANDS, CATALOG_EVENTS

from assignment.labels import usecases
from assignment.labels.store import LabelStore
from assignment.labels.usecases import LabelHolder

LISTENS_TO = (CATALOG_EVENTS,)
ANNOUNCES = (ASSIGNMENT_COMMANDS,)


def register_handlers(dispatcher: Dispatcher, store: LabelStore, holders: Sequence[LabelHolder]) -> None:
    """Fill the dispatcher with the handlers of labels."""
    dispatcher.on(LabelRenamed, partial(usecases.note_rename, store, holders))
