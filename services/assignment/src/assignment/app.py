"""The composition root: builds the assignment service from its settings, opens and closes it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.foundation import handling, open_foundation
from chassis.outbox import Outbox
from chassis.settings import read_key
from chassis.tokens import Tokens
from fastapi import FastAPI

from assignment.api import build_api
from assignment.handlers import ANNOUNCES, LISTENS_TO, register_handlers
from assignment.settings import Settings
from assignment.store import open_store

SERVICE = "assignment"


@asynccontextmanager
async def open_outbox(settings: Settings) -> AsyncIterator[Outbox]:
    """The pending messages of the service, with all indexes made."""
    async with open_foundation(settings, SERVICE) as foundation:
        await open_store(foundation)
        yield foundation.outbox


@asynccontextmanager
async def open_app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The running service: it handles its messages, and the API it yields answers reads."""
    tokens = Tokens(read_key(settings.service_key_file), audience="cairn-internal")
    async with open_foundation(settings, SERVICE) as foundation:
        store = await open_store(foundation)
        dispatcher = register_handlers(foundation.dispatcher(), store)
        async with handling(foundation, dispatcher, topics=LISTENS_TO, announces=ANNOUNCES):
            yield build_api(store, tokens, checks=foundation.checks())
