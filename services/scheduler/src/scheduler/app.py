"""The composition root: builds everything from settings, opens it and closes it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.http.tokens import Tokens
from chassis.ids import utc_now
from chassis.persistence.outbox import Outbox
from chassis.runtime.service import handling, open_service_runtime
from chassis.runtime.settings import read_key
from fastapi import FastAPI

from scheduler.api import build_api
from scheduler.handlers import ANNOUNCES, LISTENS_TO, register_handlers
from scheduler.settings import Settings
from scheduler.store import open_store
from scheduler.worker import looking

SERVICE = "scheduler"


@asynccontextmanager
async def open_outbox(settings: Settings) -> AsyncIterator[Outbox]:
    """The store alone, for sending what is pending and for making indexes."""
    async with open_service_runtime(settings, SERVICE) as runtime:
        await open_store(runtime)
        yield runtime.outbox


@asynccontextmanager
async def open_app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The whole service: messages are handled for as long as the app is open."""
    tokens = Tokens(read_key(settings.service_key_file), audience="cairn-internal")
    async with open_service_runtime(settings, SERVICE) as runtime:
        store = await open_store(runtime)
        dispatcher = register_handlers(runtime.dispatcher(), store, utc_now)
        async with (
            handling(runtime, dispatcher, topics=LISTENS_TO, announces=ANNOUNCES),
            looking(runtime.background, store, runtime.publisher, utc_now, settings),
        ):
            yield build_api(store, tokens, checks=runtime.checks())
