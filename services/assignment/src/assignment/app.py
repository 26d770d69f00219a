"""The composition root: the areas that the assignment service consists of."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from chassis.http.tokens import Tokens
from chassis.messaging.dispatcher import Dispatcher
from chassis.runtime.health import Check
from chassis.runtime.service_definition import ServiceDefinition
from chassis.runtime.service_runtime import ServiceRuntime
from fastapi import FastAPI

from assignment.apps import api as apps_api
from assignment.apps import handlers as apps_handlers
from assignment.apps import usecases as apps_usecases
from assignment.apps.store import AssignmentStore, open_store
from assignment.bundles import api as bundles_api
from assignment.bundles import handlers as bundles_handlers
from assignment.bundles.store import BundleStore, open_bundles
from assignment.settings import Settings


@dataclass(frozen=True)
class Stores:
    """What the assignment service knows, area by area."""

    apps: AssignmentStore
    bundles: BundleStore


async def open_stores(runtime: ServiceRuntime, settings: Settings) -> Stores:
    """The stores of all areas, with their indexes made."""
    apps = await open_store(runtime, pool_silence=timedelta(seconds=settings.pool_silence_seconds))
    return Stores(apps, await open_bundles(runtime))


def register_handlers(dispatcher: Dispatcher, stores: Stores, settings: Settings) -> Dispatcher:
    """Fill the dispatcher with the handlers of all areas; returns it."""
    del settings
    apps_handlers.register_handlers(dispatcher, stores.apps)
    integrations = partial(apps_usecases.known_integrations, stores.apps)
    bundles_handlers.register_handlers(dispatcher, stores.bundles, integrations)
    return dispatcher


def build_api(store: Stores, tokens: Tokens, *, checks: Mapping[str, Check]) -> FastAPI:
    """The internal HTTP API of the assignment service: the routes of all areas."""
    app = apps_api.build_api(store.apps, tokens, checks=checks)
    integrations = partial(apps_usecases.known_integrations, store.apps)
    app.include_router(bundles_api.build_routes(store.bundles, tokens, integrations))
    return app


ASSIGNMENT = ServiceDefinition(
    name="assignment",
    settings=Settings,
    open_store=open_stores,
    register_handlers=register_handlers,
    build_api=build_api,
    listens_to=apps_handlers.LISTENS_TO,
    announces=apps_handlers.ANNOUNCES,
)
