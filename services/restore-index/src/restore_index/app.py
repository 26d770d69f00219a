"""The composition root: what the restore index consists of."""

from datetime import timedelta

from chassis.runtime.service_definition import ServiceDefinition

from restore_index.api import build_api
from restore_index.handlers import ANNOUNCES, LISTENS_TO, register_handlers
from restore_index.settings import Settings
from restore_index.store import open_store
from restore_index.worker import garbage_collection

RESTORE_INDEX = ServiceDefinition(
    name="restore-index",
    settings=Settings,
    open_store=open_store,
    register_handlers=lambda dispatcher, store, settings: register_handlers(
        dispatcher, store, grace=timedelta(seconds=settings.sweep_grace_seconds)
    ),
    build_api=build_api,
    listens_to=LISTENS_TO,
    announces=ANNOUNCES,
    run_background=lambda runtime, store, settings: garbage_collection(
        runtime.background, store, runtime.publisher, settings
    ),
)
