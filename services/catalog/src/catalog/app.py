"""The composition root: the areas that the catalog consists of."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
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
from catalog.imports import api as imports_api
from catalog.imports import handlers as imports_handlers
from catalog.imports.leftovers import Leftovers
from catalog.imports.store import ImportStore, open_imports
from catalog.inventories import api as inventories_api
from catalog.inventories import handlers as inventories_handlers
from catalog.inventories.store import InventoryStore, open_inventories
from catalog.settings import Settings


@dataclass(frozen=True)
class CatalogStore:
    """What the catalog knows, area by area."""

    inventories: InventoryStore
    classification: ClassificationStore
    imports: ImportStore


async def open_store(runtime: ServiceRuntime, settings: Settings) -> CatalogStore:
    """The stores of all areas, with their indexes made."""
    del settings
    return CatalogStore(
        inventories=await open_inventories(runtime),
        classification=await open_classification(runtime),
        imports=await open_imports(runtime),
    )


def register_handlers(dispatcher: Dispatcher, store: CatalogStore, settings: Settings) -> Dispatcher:
    """Fill the dispatcher with the handlers of all areas; returns it."""
    inventories_handlers.register_handlers(dispatcher, store.inventories, removals_at_once=settings.removals_at_once)
    classification_handlers.register_handlers(dispatcher, store.classification)
    imports_handlers.register_handlers(dispatcher, store.imports, store.inventories)
    return dispatcher


def build_api(store: CatalogStore, tokens: Tokens, *, checks: Mapping[str, Check]) -> FastAPI:
    """The internal HTTP API of the catalog: the routes of all areas."""
    app = build_internal_api("Cairn catalog", checks=checks)
    app.include_router(inventories_api.build_routes(store.inventories, tokens))
    app.include_router(classification_api.build_routes(store.classification, tokens))
    app.include_router(imports_api.build_routes(store.inventories, tokens))
    return app


def run_background(
    runtime: ServiceRuntime, store: CatalogStore, settings: Settings
) -> AbstractAsyncContextManager[None]:
    """What the catalog does without being asked."""
    del settings
    leftovers = Leftovers(runtime.database, store.imports)
    return runtime.background.running("old lists", leftovers.forget_forever)


CATALOG = ServiceDefinition(
    name="catalog",
    settings=Settings,
    open_store=open_store,
    register_handlers=register_handlers,
    build_api=build_api,
    listens_to=(*inventories_handlers.LISTENS_TO,),
    announces=(*inventories_handlers.ANNOUNCES,),
    run_background=run_background,
)
