"""The composition root: what the assignment service consists of."""

from datetime import timedelta

from chassis.runtime.service_definition import ServiceDefinition

from assignment.apps.api import build_api
from assignment.apps.handlers import ANNOUNCES, LISTENS_TO, register_handlers
from assignment.apps.store import open_store
from assignment.settings import Settings

ASSIGNMENT = ServiceDefinition(
    name="assignment",
    settings=Settings,
    open_store=lambda runtime, settings: open_store(
        runtime, pool_silence=timedelta(seconds=settings.pool_silence_seconds)
    ),
    register_handlers=lambda dispatcher, store, _: register_handlers(dispatcher, store),
    build_api=build_api,
    listens_to=LISTENS_TO,
    announces=ANNOUNCES,
)
