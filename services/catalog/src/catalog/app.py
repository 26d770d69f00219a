"""The composition root: the areas that the catalog consists of."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

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
from catalog.resource_index import api as index_api
from catalog.resource_index import handlers as index_handlers
from catalog.resource_index import usecases as index_usecases
from catalog.resource_index.following import Following
from catalog.resource_index.store.index import ResourceIndex
from catalog.resource_index.store.loading import Loader
from catalog.resource_index.store.sources import SourceStore, open_sources
from catalog.settings import Settings


@dataclass(frozen=True)
class CatalogStore:
    """What the catalog knows, area by area."""

    inventories: InventoryStore
    classification: ClassificationStore
    imports: ImportStore
    sources: SourceStore
    index: ResourceIndex = field(default_factory=ResourceIndex)
    """All resources in the memory of this process."""


async def open_store(runtime: ServiceRuntime, settings: Settings) -> CatalogStore:
    """The stores of all areas, with their indexes made."""
    del settings
    return CatalogStore(
        inventories=await open_inventories(runtime),
        classification=await open_classification(runtime),
        imports=await open_imports(runtime),
        sources=await open_sources(runtime),
    )


def register_handlers(dispatcher: Dispatcher, store: CatalogStore, settings: Settings) -> Dispatcher:
    """Fill the dispatcher with the handlers of all areas; returns it."""
    inventories_handlers.register_handlers(dispatcher, store.inventories, removals_at_once=settings.removals_at_once)
    classification_handlers.register_handlers(dispatcher, store.classification)
    imports_handlers.register_handlers(dispatcher, store.imports, store.inventories)
    index_handlers.register_handlers(dispatcher, store.sources)
    return dispatcher


def build_api(store: CatalogStore, tokens: Tokens, *, checks: Mapping[str, Check]) -> FastAPI:
    """The internal HTTP API of the catalog: the routes of all areas."""
    app = build_internal_api("Cairn catalog", checks={**checks, "resources": store.index.check})
    # Before those of single things: `coverage` is no id.
    app.include_router(index_api.build_routes(store.index, store.inventories, tokens))
    app.include_router(inventories_api.build_routes(store.inventories, tokens))
    tag_sets = partial(index_usecases.count_tag_sets, store.index)
    app.include_router(classification_api.build_routes(store.classification, tokens, tag_sets))
    app.include_router(imports_api.build_routes(store.inventories, tokens))
    return app


@asynccontextmanager
async def run_background(runtime: ServiceRuntime, store: CatalogStore, settings: Settings) -> AsyncIterator[None]:
    """What the catalog does without being asked."""
    leftovers = Leftovers(runtime.database, store.imports)
    following = Following(settings, store.index, Loader(store.inventories, store.imports, store.sources))
    loops = {"old lists": leftovers.forget_forever, "resource index": following.follow}
    async with runtime.background.all_running(loops):
        yield


CATALOG = ServiceDefinition(
    name="catalog",
    settings=Settings,
    open_store=open_store,
    register_handlers=register_handlers,
    build_api=build_api,
    listens_to=(*inventories_handlers.LISTENS_TO, *index_handlers.LISTENS_TO),
    announces=inventories_handlers.ANNOUNCES,
    run_background=run_background,
)
