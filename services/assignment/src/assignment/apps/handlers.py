"""Which use case handles which message."""

from functools import partial

from chassis.messaging.dispatcher import Dispatcher
from contracts.messages.assignment import AppResourceChanged, AssignApp, ReconfigureApp, RemoveApp
from contracts.messages.bundles import AppBundlesChanged, BundlesChanged
from contracts.messages.catalog import ResourceChanged, ResourceRemoved
from contracts.messages.classification import AppLabelRenamed
from contracts.messages.connector.offers import IntegrationOffered, PoolOffered
from contracts.messages.imports import ResourcesChanged
from contracts.messages.installations import AppUpgradeDue
from contracts.messages.resealing import ResealApp
from contracts.topics import (
    ASSIGNMENT_COMMANDS,
    ASSIGNMENT_EVENTS,
    CATALOG_EVENTS,
    CONNECTOR_COMMANDS,
    CONNECTOR_EVENTS,
    OUTCOMES,
)

from assignment.apps import following
from assignment.apps.store import AssignmentStore
from assignment.apps.usecases import commands, follow, offers, resources
from assignment.bundles.store import BundleStore

LISTENS_TO = (ASSIGNMENT_COMMANDS, CATALOG_EVENTS, CONNECTOR_EVENTS)
ANNOUNCES = (ASSIGNMENT_EVENTS, CONNECTOR_COMMANDS, OUTCOMES)


def register_handlers(dispatcher: Dispatcher, store: AssignmentStore) -> Dispatcher:
    """Fill the dispatcher with the handlers of the assignment service; returns it."""
    dispatcher.on(AssignApp, partial(commands.assign_app, store))
    dispatcher.on(ReconfigureApp, partial(commands.reconfigure_app, store))
    dispatcher.on(ResealApp, partial(commands.reseal_app, store))
    dispatcher.on(RemoveApp, partial(commands.remove_app, store))
    dispatcher.on(AppResourceChanged, partial(follow.follow_resource, store))
    dispatcher.on(AppLabelRenamed, partial(follow.follow_rename, store))
    dispatcher.on(AppUpgradeDue, partial(follow.follow_integration, store))
    dispatcher.on(IntegrationOffered, partial(offers.note_integration, store))
    dispatcher.on(PoolOffered, partial(offers.note_pool, store))
    dispatcher.on(ResourceChanged, partial(resources.note_resource_change, store))
    dispatcher.on(ResourcesChanged, partial(resources.note_resources_changed, store))
    dispatcher.on(ResourceRemoved, partial(resources.note_resource_removal, store))
    return dispatcher


def register_following(dispatcher: Dispatcher, store: AssignmentStore, bundles: BundleStore) -> None:
    """Fill the dispatcher with the handlers of what bundles mean for apps."""
    dispatcher.on(BundlesChanged, partial(following.note_bundles, store, bundles))
    dispatcher.on(AppBundlesChanged, partial(following.follow, store))
