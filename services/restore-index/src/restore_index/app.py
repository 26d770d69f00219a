"""The composition root: builds everything from settings, opens it and closes it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from chassis.http.tokens import Tokens
from chassis.persistence.outbox import Outbox
from chassis.runtime.service import handling, open_service_runtime
from chassis.runtime.settings import read_key
from fastapi import FastAPI

from restore_index.api import build_api
from restore_index.handlers import ANNOUNCES, LISTENS_TO, register_handlers
from restore_index.settings import Settings
from restore_index.store import open_store
from restore_index.worker import garbage_collection

SERVICE = "restore-index"


@asynccontextmanager
async def open_outbox(settings: Settings) -> AsyncIterator[Outbox]:
    """The store alone, for sending what is pending and for making indexes."""
    async with open_service_runtime(settings, SERVICE) as runtime:
        await open_store(runtime, settings)
        yield runtime.outbox


@asynccontextmanager
async def open_app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The whole service: events are handled for as long as the app is open."""
    tokens = Tokens(read_key(settings.service_key_file), audience="cairn-internal")
    async with open_service_runtime(settings, SERVICE) as runtime:
        store = await open_store(runtime, settings)
        grace = timedelta(seconds=settings.sweep_grace_seconds)
        dispatcher = register_handlers(runtime.dispatcher(), store, grace=grace)
        async with (
            handling(runtime, dispatcher, topics=LISTENS_TO, announces=ANNOUNCES),
            garbage_collection(runtime.background, store, runtime.publisher, settings),
        ):
            yield build_api(store, tokens, checks=runtime.checks())
