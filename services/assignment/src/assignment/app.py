"""The composition root: what the assignment service consists of."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from chassis.http.tokens import Tokens
from chassis.messaging.dispatcher import Dispatcher
from chassis.runtime.health import Check
from chassis.runtime.service_definition import ServiceDefinition
from chassis.runtime.service_runtime import ServiceRuntime
from contracts.values import AppId, OrganizationId
from fastapi import FastAPI

from assignment.apps import api as apps_api
from assignment.apps import handlers as apps_handlers
from assignment.apps.domain.apps import upgraded
from assignment.apps.labels import AppLabels
from assignment.apps.store import AssignmentStore, open_store
from assignment.apps.usecases import offers
from assignment.bundles import api as bundles_api
from assignment.bundles import handlers as bundles_handlers
from assignment.bundles.labels import BundleLabels
from assignment.bundles.store import BundleStore, open_bundles
from assignment.connection_tests import api as tests_api
from assignment.connection_tests import handlers as tests_handlers
from assignment.connection_tests.store import ConnectionTestStore, open_connection_tests
from assignment.installations import api as installations_api
from assignment.installations import handlers as installations_handlers
from assignment.installations.store import InstallationStore, KnownParts, absent, open_installations
from assignment.labels import api as labels_api
from assignment.labels import handlers as labels_handlers
from assignment.labels.store import LabelStore, open_labels
from assignment.labels.usecases import LabelHolder
from assignment.overviews import api as overviews_api
from assignment.sealing import api as sealing_api
from assignment.settings import Settings


@dataclass(frozen=True)
class Stores:
    """What the assignment service knows, area by area."""

    apps: AssignmentStore
    bundles: BundleStore
    connection_tests: ConnectionTestStore
    labels: LabelStore
    installations: InstallationStore

    @property
    def label_holders(self) -> tuple[LabelHolder, ...]:
        """What carries environments and data classes."""
        return (AppLabels(self.apps), BundleLabels(self.bundles))

    async def has_app(self, org: OrganizationId, app_id: AppId) -> bool:
        """Whether there is an app."""
        return await self.apps.apps.get(org, app_id) is not None


async def open_stores(runtime: ServiceRuntime, settings: Settings) -> Stores:
    """The stores of all areas, with their indexes made."""
    labels = await open_labels(runtime)
    bundles = await open_bundles(runtime, renames=labels.known)
    installations = await open_installations(runtime)
    apps = await open_store(
        runtime,
        pool_silence=timedelta(seconds=settings.pool_silence_seconds),
        tests_changes=settings.test_changes,
        renames=labels.known,
        bundles=bundles.bundles_of,
        absences=partial(absent, installations),
    )
    parts = KnownParts(
        integrations=partial(offers.list_known_integrations, apps),
        apps=lambda org: apps.apps_of(org, None),
        upgraded=upgraded,
    )
    return Stores(apps, bundles, await open_connection_tests(runtime), labels, InstallationStore(installations, parts))


def register_handlers(dispatcher: Dispatcher, stores: Stores, settings: Settings) -> Dispatcher:
    """Fill the dispatcher with the handlers of all areas; returns it."""
    del settings
    apps_handlers.register_handlers(dispatcher, stores.apps)
    integrations = partial(offers.known_integrations, stores.apps)
    apps_handlers.register_following(dispatcher, stores.apps, stores.bundles)
    bundles_handlers.register_handlers(dispatcher, stores.bundles, integrations)
    tests_handlers.register_handlers(dispatcher, stores.connection_tests, stores.has_app)
    labels_handlers.register_handlers(dispatcher, stores.labels, stores.label_holders)
    installations_handlers.register_handlers(dispatcher, stores.installations)
    return dispatcher


def build_api(store: Stores, tokens: Tokens, *, checks: Mapping[str, Check]) -> FastAPI:
    """The internal HTTP API of the assignment service: the routes of all areas."""
    app = apps_api.build_api(store.apps, tokens, checks=checks)
    integrations = partial(offers.known_integrations, store.apps)
    app.include_router(bundles_api.build_routes(store.bundles, tokens, integrations))
    app.include_router(tests_api.build_routes(store.connection_tests, tokens))
    app.include_router(labels_api.build_routes(store.label_holders, tokens))
    app.include_router(installations_api.build_routes(store.installations, tokens))
    app.include_router(sealing_api.build_routes(store.apps, store.bundles, tokens))
    app.include_router(overviews_api.build_routes(store.apps, store.connection_tests, tokens))
    return app


ASSIGNMENT = ServiceDefinition(
    name="assignment",
    settings=Settings,
    open_store=open_stores,
    register_handlers=register_handlers,
    build_api=build_api,
    # Each once, though several areas listen to it.
    listens_to=tuple(dict.fromkeys((*apps_handlers.LISTENS_TO, *tests_handlers.LISTENS_TO))),
    announces=apps_handlers.ANNOUNCES,
)
