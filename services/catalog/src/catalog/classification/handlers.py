"""Which use case handles which command."""

from functools import partial

from chassis.messaging.dispatcher import Dispatcher
from contracts.messages.classification import AddLabel, RemoveLabel, RenameLabel
from contracts.topics import CATALOG_COMMANDS, CATALOG_EVENTS, OUTCOMES

from catalog.classification import usecases
from catalog.classification.store import ClassificationStore

LISTENS_TO = (CATALOG_COMMANDS,)
ANNOUNCES = (CATALOG_EVENTS, OUTCOMES)


def register_handlers(dispatcher: Dispatcher, store: ClassificationStore) -> None:
    """Fill the dispatcher with the handlers of the lists of labels."""
    dispatcher.on(AddLabel, partial(usecases.add_label, store))
    dispatcher.on(RenameLabel, partial(usecases.rename_label, store))
    dispatcher.on(RemoveLabel, partial(usecases.remove_label, store))
