"""The composition root: builds everything from settings, opens it and closes it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.foundation import handling, open_foundation
from chassis.ids import utc_now
from chassis.outbox import Outbox
from chassis.settings import read_key
from chassis.tokens import Tokens
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
    async with open_foundation(settings, SERVICE) as foundation:
        await open_store(foundation)
        yield foundation.outbox


@asynccontextmanager
async def open_app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The whole service: messages are handled for as long as the app is open."""
    tokens = Tokens(read_key(settings.service_key_file), audience="cairn-internal")
    async with open_foundation(settings, SERVICE) as foundation:
        store = await open_store(foundation)
        dispatcher = register_handlers(foundation.dispatcher(), store, utc_now)
        async with (
            handling(foundation, dispatcher, topics=LISTENS_TO, announces=ANNOUNCES),
            looking(foundation.background, store, foundation.publisher, utc_now, settings),
        ):
            yield build_api(store, tokens, checks=foundation.checks())
