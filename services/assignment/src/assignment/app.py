"""The composition root: builds the assignment service from its settings, opens and closes it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.http.tokens import Tokens
from chassis.persistence.outbox import Outbox
from chassis.runtime.service import handling, open_service_runtime
from chassis.runtime.settings import read_key
from fastapi import FastAPI

from assignment.api import build_api
from assignment.handlers import ANNOUNCES, LISTENS_TO, register_handlers
from assignment.settings import Settings
from assignment.store import open_store

SERVICE = "assignment"


@asynccontextmanager
async def open_outbox(settings: Settings) -> AsyncIterator[Outbox]:
    """The pending messages of the service, with all indexes made."""
    async with open_service_runtime(settings, SERVICE) as runtime:
        await open_store(runtime)
        yield runtime.outbox


@asynccontextmanager
async def open_app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The running service: it handles its messages, and the API it yields answers reads."""
    tokens = Tokens(read_key(settings.service_key_file), audience="cairn-internal")
    async with open_service_runtime(settings, SERVICE) as runtime:
        store = await open_store(runtime)
        dispatcher = register_handlers(runtime.dispatcher(), store)
        async with handling(runtime, dispatcher, topics=LISTENS_TO, announces=ANNOUNCES):
            yield build_api(store, tokens, checks=runtime.checks())
