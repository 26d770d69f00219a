"""The composition root: what the catalog consists of."""

from chassis.runtime.service_definition import ServiceDefinition

from catalog.api import build_api
from catalog.handlers import ANNOUNCES, LISTENS_TO, register_handlers
from catalog.settings import Settings
from catalog.store import open_store

CATALOG = ServiceDefinition(
    name="catalog",
    settings=Settings,
    open_store=lambda runtime, _: open_store(runtime),
    register_handlers=lambda dispatcher, store, settings: register_handlers(
        dispatcher, store, removals_at_once=settings.removals_at_once
    ),
    build_api=build_api,
    listens_to=LISTENS_TO,
    announces=ANNOUNCES,
)
