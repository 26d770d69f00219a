"""Which use case handles which message."""

from functools import partial

from chassis.messaging.dispatcher import Dispatcher
from contracts.messages.installations import (
    InstallIntegration,
    IntegrationUsed,
    UninstallIntegration,
    UpgradeIntegration,
)
from contracts.topics import ASSIGNMENT_COMMANDS, ASSIGNMENT_EVENTS, OUTCOMES

from assignment.installations import usecases
from assignment.installations.store import InstallationStore

LISTENS_TO = (ASSIGNMENT_COMMANDS,)
ANNOUNCES = (ASSIGNMENT_EVENTS, OUTCOMES)


def register_handlers(dispatcher: Dispatcher, store: InstallationStore) -> Dispatcher:
    """Fill the dispatcher with the handlers of this area; returns it."""
    dispatcher.on(InstallIntegration, partial(usecases.install, store))
    dispatcher.on(UninstallIntegration, partial(usecases.uninstall, store))
    dispatcher.on(UpgradeIntegration, partial(usecases.upgrade, store))
    dispatcher.on(IntegrationUsed, partial(usecases.note_use, store))
    return dispatcher
