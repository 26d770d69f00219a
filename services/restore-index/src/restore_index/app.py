"""The composition root: builds everything from settings, opens it and closes it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from chassis.foundation import handling, open_foundation
from chassis.outbox import Outbox
from chassis.settings import read_key
from chassis.tokens import Tokens
from fastapi import FastAPI

from restore_index.api import build_api
from restore_index.handlers import ANNOUNCES, LISTENS_TO, register_handlers
from restore_index.settings import Settings
from restore_index.store import open_store
from restore_index.worker import sweeping

SERVICE = "restore-index"


@asynccontextmanager
async def open_outbox(settings: Settings) -> AsyncIterator[Outbox]:
    """The store alone, for sending what is pending and for making indexes."""
    async with open_foundation(settings, SERVICE) as foundation:
        await open_store(foundation, settings)
        yield foundation.outbox


@asynccontextmanager
async def open_app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The whole service: events are handled for as long as the app is open."""
    tokens = Tokens(read_key(settings.service_key_file), audience="cairn-internal")
    async with open_foundation(settings, SERVICE) as foundation:
        store = await open_store(foundation, settings)
        grace = timedelta(seconds=settings.sweep_grace_seconds)
        dispatcher = register_handlers(foundation.dispatcher(), store, sweep_grace=grace)
        async with (
            handling(foundation, dispatcher, topics=LISTENS_TO, announces=ANNOUNCES),
            sweeping(foundation.background, store, foundation.publisher, settings),
        ):
            yield build_api(store, tokens, checks=foundation.checks())
