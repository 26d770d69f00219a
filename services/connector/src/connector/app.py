"""Puts the connector together."""

import asyncio
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial

from chassis.client import ServiceClient, open_http
from chassis.envelopes import envelope
from chassis.foundation import Foundation, handling, open_foundation
from chassis.outbox import Outbox
from chassis.publisher import Publisher
from chassis.sealing import Sealer
from chassis.settings import read_key
from chassis.tokens import Tokens
from chassis.topology import ensure_topics
from contracts import topics
from contracts.connector import EVERYBODY, Integration, IntegrationOffered
from fastapi import FastAPI

from connector.api import build_api
from connector.engine.restic import ResticEngine, ResticSettings
from connector.handlers import register
from connector.integrations.registry import Integrations
from connector.integrations.surroundings import Surroundings
from connector.repository import KeyRing
from connector.settings import Settings
from connector.store import open_store
from connector.usecases.equipment import Equipment, access_opener, files_opener, repository_opener
from connector.usecases.index_client import IndexClient
from connector.usecases.listing import Lister
from connector.usecases.locks import store_locks
from connector.usecases.queueing import Bells
from connector.usecases.stores import OpenStores
from connector.usecases.tidying import Tidier
from connector.usecases.watching import Watch
from connector.worker import Runner, working

log = logging.getLogger(__name__)
SERVICE = "connector"
THREADS = 64
ANNOUNCED = (topics.CONNECTOR_EVENTS, topics.LISTINGS, topics.OUTCOMES)


@asynccontextmanager
async def open_outbox(settings: Settings) -> AsyncIterator[Outbox]:
    """The store alone, for `relay` and `migrate`."""
    async with open_foundation(settings, SERVICE) as foundation:
        await open_store(foundation.database, foundation.outbox)
        yield foundation.outbox


@asynccontextmanager
async def open_app(settings: Settings) -> AsyncIterator[FastAPI]:
    """A worker at work, and its HTTP API."""
    # Some threads may wait for stores that do not answer; the interpreter's own number is that of the processors and 4.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="work"))
    heard = (topics.ASSIGNMENT_EVENTS, topics.CONNECTOR_COMMANDS, topics.tasks(settings.pool))
    tokens = Tokens(read_key(settings.service_key_file), audience="cairn-internal")
    async with open_foundation(settings, SERVICE) as foundation, open_equipment(foundation, settings, tokens) as tools:
        runner, tidier = Runner(tools), Tidier(tools.store, settings.work_dir)
        dispatcher = register(
            foundation.dispatcher(),
            tools.store,
            bells=tools.bells,
            stores=tools.stores,
            notice_cancel=runner.cancel,
            notice_removal=tidier.wake,
            pool=settings.pool,
        )
        await ensure_topics(settings, ANNOUNCED)
        await offer(foundation.publisher, tools.integrations.manifests())
        async with (
            tidier.tidying(foundation.background),
            tools.watch.watching(foundation.background),
            working(foundation.background, tools, runner),
            handling(foundation, dispatcher, topics=heard, announces=ANNOUNCED),
        ):
            yield build_api(
                tools.store, tools.stores, tokens, locks=partial(store_locks, tools), checks=foundation.checks()
            )


@asynccontextmanager
async def open_equipment(foundation: Foundation, settings: Settings, tokens: Tokens) -> AsyncIterator[Equipment]:
    """Everything that work is done with."""
    sealer, integrations = Sealer(read_key(settings.master_key_file)), build_integrations(settings)
    ring = KeyRing()
    opener = repository_opener(
        sealer, integrations, cache_bytes=settings.store_cache_bytes, work_dir=settings.work_dir, ring=ring
    )
    store, bells = await open_store(foundation.database, foundation.outbox), Bells()
    watch = Watch(store, bells, settings)
    stores = OpenStores(opener, limit=settings.open_stores, on_loss=watch.suspect_loss, on_change=watch.suspect)
    async with open_http() as http:
        index = IndexClient(ServiceClient(settings.url_restore_index, http=http, tokens=tokens))
        try:
            yield Equipment(
                settings=settings,
                store=store,
                sealer=sealer,
                engine=ResticEngine(_restic(settings)),
                integrations=integrations,
                publisher=foundation.publisher,
                stores=stores,
                lister=Lister(foundation.publisher, index),
                index=index,
                bells=bells,
                watch=watch,
                access=access_opener(sealer, integrations, ring=ring),
                files=files_opener(sealer, integrations),
            )
        finally:
            await stores.close()


async def offer(publisher: Publisher, manifests: tuple[Integration, ...]) -> None:
    """Announce which integrations this worker can run; returns once that cannot be lost."""
    for manifest in manifests:
        offered = IntegrationOffered(organization_id=EVERYBODY, integration_id=manifest.id, integration=manifest)
        await publisher.send(envelope(offered, service=SERVICE))


def build_integrations(settings: Settings) -> Integrations:
    """The integrations, kept off what is Cairn's own."""
    if settings.state_dir is None:
        log.warning("CAIRN_STATE_DIR is not set: of Cairn's own state only keys and work_dir are left out of backups")
    return Integrations(
        Surroundings(
            rclone=settings.rclone,
            work_dir=settings.work_dir,
            allowed_roots=settings.allowed_roots,
            state_dirs=(settings.state_dir,) if settings.state_dir else (),
            key_files=(settings.master_key_file, settings.service_key_file),
        )
    )


def _restic(settings: Settings) -> ResticSettings:
    cache_dir, garbage_percent = settings.work_dir / "restic-cache", settings.restic_garbage_percent
    return ResticSettings(program=settings.restic, cache_dir=cache_dir, garbage_percent=garbage_percent)
