"""The composition root: the areas that the catalog consists of."""

from collections.abc import Mapping
from dataclasses import dataclass

from chassis.http.server import build_internal_api
from chassis.http.tokens import Tokens
from chassis.messaging.dispatcher import Dispatcher
from chassis.runtime.health import Check
from chassis.runtime.service_definition import ServiceDefinition
from chassis.runtime.service_runtime import ServiceRuntime
from fastapi import FastAPI

from catalog.classification import api as classification_api
from catalog.classification import handlers as classification_handlers
from catalog.classification.store import ClassificationStore, open_classification
from catalog.inventories import api as inventories_api
from catalog.inventories import handlers as inventories_handlers
from catalog.inventories.store import InventoryStore, open_inventories
from catalog.settings import Settings


@dataclass(frozen=True)
class CatalogStore:
    """What the catalog knows, area by area."""

    inventories: InventoryStore
    classification: ClassificationStore


async def open_store(runtime: ServiceRuntime, settings: Settings) -> CatalogStore:
    """The stores of all areas, with their indexes made."""
    del settings
    return CatalogStore(inventories=await open_inventories(runtime), classification=await open_classification(runtime))


def register_handlers(dispatcher: Dispatcher, store: CatalogStore, settings: Settings) -> Dispatcher:
    """Fill the dispatcher with the handlers of all areas; returns it."""
    inventories_handlers.register_handlers(dispatcher, store.inventories, removals_at_once=settings.removals_at_once)
    classification_handlers.register_handlers(dispatcher, store.classification)
    return dispatcher


def build_api(store: CatalogStore, tokens: Tokens, *, checks: Mapping[str, Check]) -> FastAPI:
    """The internal HTTP API of the catalog: the routes of all areas."""
    app = build_internal_api("Cairn catalog", checks=checks)
    app.include_router(inventories_api.build_routes(store.inventories, tokens))
    app.include_router(classification_api.build_routes(store.classification, tokens))
    return app


CATALOG = ServiceDefinition(
    name="catalog",
    settings=Settings,
    open_store=open_store,
    register_handlers=register_handlers,
    build_api=build_api,
    listens_to=(*inventories_handlers.LISTENS_TO,),
    announces=(*inventories_handlers.ANNOUNCES,),
)
