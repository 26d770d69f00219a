"""The composition root: builds the catalog from its settings, opens and closes it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.http.tokens import Tokens
from chassis.persistence.outbox import Outbox
from chassis.runtime.service import handling, open_service_runtime
from chassis.runtime.settings import read_key
from fastapi import FastAPI

from catalog.api import build_api
from catalog.handlers import ANNOUNCES, LISTENS_TO, register_handlers
from catalog.settings import Settings
from catalog.store import open_store

SERVICE = "catalog"


@asynccontextmanager
async def open_outbox(settings: Settings) -> AsyncIterator[Outbox]:
    """The pending messages of the catalog, with all indexes made."""
    async with open_service_runtime(settings, SERVICE) as runtime:
        await open_store(runtime)
        yield runtime.outbox


@asynccontextmanager
async def open_app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The running catalog: it handles its commands, and the API it yields answers reads."""
    tokens = Tokens(read_key(settings.service_key_file), audience="cairn-internal")
    async with open_service_runtime(settings, SERVICE) as runtime:
        store = await open_store(runtime)
        dispatcher = register_handlers(runtime.dispatcher(), store, removals_at_once=settings.removals_at_once)
        async with handling(runtime, dispatcher, topics=LISTENS_TO, announces=ANNOUNCES):
            yield build_api(store, tokens, checks=runtime.checks())
