"""Builds the connector from its settings: the composition root."""

import asyncio
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial

from chassis.http.client import ServiceClient, open_http
from chassis.http.tokens import Tokens
from chassis.messaging.envelopes import envelope
from chassis.messaging.publisher import Publisher
from chassis.messaging.topology import ensure_topics
from chassis.persistence.key_holders import KeyHolders
from chassis.persistence.outbox import Outbox
from chassis.runtime.service_runtime import ServiceRuntime, handling, open_service_runtime
from chassis.runtime.settings import read_key
from chassis.runtime.supervision import LoopSupervisor
from chassis.security.keyring import KeyringFile
from chassis.security.sealing import Sealer
from contracts import topics
from contracts.messages.connector.base import EVERYBODY, ConnectorEvent
from contracts.messages.connector.offers import IntegrationOffered, IntegrationVersion, PoolOffered
from fastapi import FastAPI
from integrations.sdk.environment import WorkerEnvironment
from integrations.sdk.registry import Integrations
from restic_reader import KeyRing

from connector.api import build_api
from connector.context.worker_context import (
    AllIntegrations,
    WorkerContext,
    access_opener,
    files_opener,
    repository_opener,
)
from connector.engine.restic import ResticEngine, ResticSettings
from connector.handlers import register
from connector.programs import open_program
from connector.queue.intake import WakeUps
from connector.queue.runner import Runner
from connector.queue.slots import working
from connector.settings import Settings
from connector.store.mongo import open_store
from connector.store_state.locks import store_locks
from connector.stores.cache_clean_up import CacheCleanUp
from connector.stores.directory_sender import Lister
from connector.stores.index_client import IndexClient
from connector.stores.open_stores import OpenStores
from connector.stores.watch import SUSPICION_SECONDS, Watch
from connector.tasks.draft_test import DraftTests
from connector.tasks.registry import activities

log = logging.getLogger(__name__)
SERVICE = "connector"
THREADS = 64
# Three days without an announcement make other services take a pool for given up (decision 0043): hundreds may be lost.
OFFER_SECONDS = 600.0
ANNOUNCED = (topics.CONNECTOR_EVENTS, topics.LISTINGS, topics.OUTCOMES)


@asynccontextmanager
async def open_outbox(settings: Settings) -> AsyncIterator[Outbox]:
    """The store alone, for `relay` and `migrate`."""
    async with open_service_runtime(settings, SERVICE) as runtime:
        await open_store(runtime.database, runtime.outbox)
        yield runtime.outbox


@asynccontextmanager
async def open_app(settings: Settings, *, suspicion_seconds: float = SUSPICION_SECONDS) -> AsyncIterator[FastAPI]:
    """A worker at work, and its HTTP API; `suspicion_seconds` is for tests, which do not wait for a minute."""
    # Some threads may wait for stores that do not answer; Python's default pool has only as many as processors, and 4.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="work"))
    subscribed = (topics.ASSIGNMENT_EVENTS, topics.connector_commands(settings.pool), topics.tasks(settings.pool))
    tokens = Tokens(read_key(settings.service_key_file), audience="cairn-internal")
    async with (
        open_service_runtime(settings, SERVICE) as runtime,
        open_worker_context(runtime, settings, tokens, suspicion_seconds=suspicion_seconds) as context,
    ):
        holders, name = KeyHolders(runtime.database), f"{SERVICE} {settings.instance} {settings.pool}"
        runner = Runner(context.store, activities(context))
        clean_up = CacheCleanUp(context.store, settings.work_dir)
        dispatcher = register(
            runtime.dispatcher(),
            context.store,
            wake_ups=context.wake_ups,
            stores=context.stores,
            notice_cancel=runner.cancel,
            notice_removal=clean_up.wake,
            test_draft=DraftTests(context).test,
        )
        await ensure_topics(settings, ANNOUNCED)
        # Before anything is taken from Kafka: other services may rely on what a worker offers once it is ready.
        await offer(runtime.publisher, context.integrations, pool=settings.pool)
        # Messages last: they are taken in once there is somebody to do the work, and no more while the rest closes.
        async with (
            holders.reporting(runtime.background, name, lambda: context.sealer.keyring),
            clean_up.running(runtime.background),
            offering(runtime.background, runtime.publisher, context.integrations, pool=settings.pool),
            context.watch.running(runtime.background),
            working(runtime.background, context.store, settings, runner, context.wake_ups),
            handling(runtime, dispatcher, topics=subscribed, announces=ANNOUNCED, subgroup=_subgroup(settings)),
        ):
            yield build_api(
                context.store,
                context.stores,
                tokens,
                locks=partial(store_locks, context),
                holders=holders,
                checks=runtime.checks(),
            )


@asynccontextmanager
async def open_worker_context(
    runtime: ServiceRuntime, settings: Settings, tokens: Tokens, *, suspicion_seconds: float = SUSPICION_SECONDS
) -> AsyncIterator[WorkerContext]:
    """Everything that work needs, closed when the context is left."""
    keys, integrations = KeyringFile(settings.master_key_file), build_integrations(settings)
    sealer = Sealer(keys)
    ring = KeyRing()
    opener = repository_opener(
        sealer, integrations, cache_bytes=settings.store_cache_bytes, work_dir=settings.work_dir, ring=ring
    )
    store, wake_ups = await open_store(runtime.database, runtime.outbox), WakeUps()
    watch = Watch(store, wake_ups, settings, reach=integrations.reach(), suspicion_seconds=suspicion_seconds)
    stores = OpenStores(opener, limit=settings.open_stores, on_loss=watch.suspect_loss, on_change=watch.suspect)
    async with open_http() as http:
        index = IndexClient(ServiceClient(settings.url_restore_index, http=http, tokens=tokens))
        try:
            yield WorkerContext(
                settings=settings,
                store=store,
                sealer=sealer,
                engine=ResticEngine(_restic(settings)),
                integrations=integrations,
                publisher=runtime.publisher,
                stores=stores,
                lister=Lister(runtime.publisher, index),
                index=index,
                wake_ups=wake_ups,
                watch=watch,
                access=access_opener(sealer, integrations, ring=ring),
                files=files_opener(sealer, integrations),
            )
        finally:
            await stores.close()


def _subgroup(settings: Settings) -> str:
    """Name of the consumer group of a pool, within that of the connector."""
    # Pools subscribe to different topics, and aiokafka 0.14 cannot assign partitions in a group whose members do so.
    return "" if settings.pool == topics.DEFAULT_POOL else settings.pool


async def offer(publisher: Publisher, integrations: AllIntegrations, *, pool: str) -> None:
    """Announce which integrations this worker can run and what its pool reaches; returns once that cannot be lost."""
    offers: list[ConnectorEvent] = [
        IntegrationOffered(organization_id=EVERYBODY, integration_id=manifest.id, integration=manifest)
        for manifest in integrations.manifests()
    ]
    for offered in offers:
        await publisher.send(envelope(offered, service=SERVICE))
    await _offer_pool(publisher, integrations, pool)


@asynccontextmanager
async def offering(
    background: LoopSupervisor,
    publisher: Publisher,
    integrations: AllIntegrations,
    *,
    pool: str,
    pause_seconds: float = OFFER_SECONDS,
) -> AsyncIterator[None]:
    """Announce again and again what the pool reaches, until the context is left."""

    async def offer_forever() -> None:
        while True:
            await asyncio.sleep(pause_seconds)
            await _offer_pool(publisher, integrations, pool)

    async with background.running("offers", offer_forever):
        yield


async def _offer_pool(publisher: Publisher, integrations: AllIntegrations, pool: str) -> None:
    offered = PoolOffered(
        organization_id=EVERYBODY,
        pool=pool,
        reach=integrations.reach(),
        integrations=tuple(IntegrationVersion(id=each.id, version=each.version) for each in integrations.manifests()),
    )
    await publisher.send(envelope(offered, service=SERVICE))


def build_integrations(settings: Settings) -> Integrations:
    """The integrations, kept off what is Cairn's own."""
    if settings.state_dir is None:
        log.warning("CAIRN_STATE_DIR is not set: of Cairn's own state only keys and work_dir are left out of backups")
    return Integrations(
        WorkerEnvironment(
            rclone=settings.rclone,
            open_program=open_program,
            work_dir=settings.work_dir,
            allowed_roots=settings.allowed_roots,
            state_dirs=(settings.state_dir,) if settings.state_dir else (),
            key_files=(settings.master_key_file, settings.service_key_file),
        )
    )


def _restic(settings: Settings) -> ResticSettings:
    cache_dir, garbage_percent = settings.work_dir / "restic-cache", settings.restic_garbage_percent
    return ResticSettings(program=settings.restic, cache_dir=cache_dir, garbage_percent=garbage_percent)
