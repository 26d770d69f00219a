"""The composition root: builds everything from settings, opens and closes it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from chassis.http.client import open_http
from chassis.http.tokens import Tokens
from chassis.ids import utc_now
from chassis.messaging.backlog import open_backlog
from chassis.messaging.command_client import Commands, open_commands
from chassis.messaging.topology import ensure_topics
from chassis.persistence.key_holders import KeyHolders
from chassis.persistence.outbox import Outbox
from chassis.runtime.service_runtime import ServiceRuntime, open_service_runtime
from chassis.runtime.settings import read_key
from chassis.runtime.supervision import LoopSupervisor
from chassis.security.keyring import KeyringFile
from chassis.security.sealing import Sealer
from contracts import topics
from fastapi import FastAPI

from gateway.access.bootstrap import bootstrap
from gateway.access.principals import Principals
from gateway.access.store import Accounts, open_accounts
from gateway.api import build_api
from gateway.areas.auth.known_addresses import KnownAddresses, forget_addresses
from gateway.areas.auth.login_log import LoginLog
from gateway.areas.auth.service import Logins
from gateway.areas.auth.throttle import Throttle
from gateway.areas.auth.throttle_rules import network_of
from gateway.areas.bundles.service import Bundles
from gateway.areas.classification.service import Classification
from gateway.areas.connectors.descriptions import Descriptions
from gateway.areas.connectors.field_encryption import FieldEncryption
from gateway.areas.connectors.removal import Removals
from gateway.areas.connectors.secret_reads import SecretReads
from gateway.areas.connectors.service import Connectors
from gateway.areas.downloads.service import Downloads
from gateway.areas.files.service import Files
from gateway.areas.history.service import History
from gateway.areas.imports.service import Imports
from gateway.areas.integrations.service import Integrations
from gateway.areas.inventories.service import Inventories
from gateway.areas.links.service import Links
from gateway.areas.links.tokens import link_key
from gateway.areas.master_keys.resealing import Resealing, note_resealing
from gateway.areas.master_keys.service import MasterKeys
from gateway.areas.master_keys.status import Census
from gateway.areas.operations.service import Operations
from gateway.areas.operations.store import OperationStore
from gateway.areas.overviews.service import Overviews
from gateway.areas.protection.prune_runs import PruneRuns
from gateway.areas.protection.service import Protection
from gateway.areas.resources.service import Resources
from gateway.areas.scheduling.service import Runs
from gateway.areas.search.service import Search
from gateway.areas.snapshots.service import Snapshots
from gateway.areas.stream import feed as stream_feed
from gateway.areas.stream.service import Streams, open_streams
from gateway.areas.wizard.service import Wizard
from gateway.audit_log.log import AuditLog
from gateway.audit_log.store import AuditStore
from gateway.clients.service_clients import ServiceClients, build_clients, readiness_checks
from gateway.http.dependencies import Services
from gateway.idempotency.keys import IdempotencyKeys
from gateway.idempotency.store import KeyStore
from gateway.settings import Settings

SERVICE = "gateway"
_TOPICS = (
    topics.OUTCOMES,
    topics.CATALOG_COMMANDS,
    topics.ASSIGNMENT_COMMANDS,
    topics.CONNECTOR_COMMANDS,
    topics.SCHEDULER_COMMANDS,
    *stream_feed.TOPICS,
    topics.RESTORE_INDEX_COMMANDS,
)


@dataclass(frozen=True)
class Stores:
    """The gateway's own data in MongoDB."""

    accounts: Accounts
    keys: KeyStore
    operations: OperationStore
    audit: AuditStore
    addresses: KnownAddresses


@asynccontextmanager
async def open_outbox(settings: Settings) -> AsyncIterator[Outbox]:
    """The gateway's collections alone, with their indexes made."""
    async with open_service_runtime(settings, SERVICE) as runtime:
        await _open_stores(runtime)
        yield runtime.outbox


@asynccontextmanager
async def open_app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The gateway, ready to serve: the owner is there and outcomes are listened for."""
    async with AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(open_service_runtime(settings, SERVICE))
        stores = await _open_stores(runtime)
        keys = KeyringFile(settings.master_key_file)
        sealer = Sealer(keys)
        await _bootstrap(stores, sealer, settings)
        # Commands may be sent before the service that reads them has run for the first time, and a broker need not make
        # topics by itself.
        await ensure_topics(settings, _TOPICS)
        background = runtime.background
        holders, name = KeyHolders(runtime.database), f"{SERVICE} {settings.instance}"
        await stack.enter_async_context(holders.reporting(background, name, keys.now))
        commands = await stack.enter_async_context(
            open_commands(settings, runtime.publisher, service=SERVICE, background=background)
        )
        http = await stack.enter_async_context(open_http())
        # With another key and audience than badges: a badge opens no service, and what opens services is no badge.
        clients = build_clients(settings, http, Tokens(read_key(settings.service_key_file), audience="cairn-internal"))
        streams = await stack.enter_async_context(open_streams(settings, background, service=SERVICE))
        services = await stack.enter_async_context(
            _open_services(settings, stores, sealer, commands, clients, streams, background=background)
        )
        checks = {**runtime.checks(), **readiness_checks(settings, http)}
        app = build_api(services, checks, max_body_bytes=settings.max_body_bytes)
        app.state.on_stop = (streams.stop,)
        yield app


@asynccontextmanager
async def open_master_keys(settings: Settings) -> AsyncIterator[MasterKeys]:
    """What an operator does about master keys, beside the gateways that run."""
    async with AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(open_service_runtime(settings, SERVICE))
        stores = await _open_stores(runtime)
        sealer = Sealer(KeyringFile(settings.master_key_file))
        commands = await stack.enter_async_context(
            open_commands(settings, runtime.publisher, service=SERVICE, background=runtime.background)
        )
        http = await stack.enter_async_context(open_http())
        clients = build_clients(settings, http, Tokens(read_key(settings.service_key_file), audience="cairn-internal"))
        encryption = FieldEncryption(sealer, stores.accounts.data_keys)
        yield MasterKeys(
            Census(stores.accounts, clients.sealing, stores.operations, sealer),
            Resealing(
                clients.sealing,
                clients.bundles,
                commands,
                encryption,
                partial(note_resealing, AuditLog(stores.audit, kept_days=settings.audit_days)),
            ),
            KeyHolders(runtime.database),
            await stack.enter_async_context(open_backlog(settings)),
        )


async def _open_stores(runtime: ServiceRuntime) -> Stores:
    database = runtime.database
    keys, operations = KeyStore(database), OperationStore(database)
    audit, addresses = AuditStore(database), KnownAddresses(database)
    for store in (keys, operations, audit, addresses):
        await store.setup()
    return Stores(await open_accounts(runtime), keys, operations, audit, addresses)


async def _bootstrap(stores: Stores, sealer: Sealer, settings: Settings) -> None:
    await bootstrap(
        stores.accounts,
        sealer,
        path=settings.credentials_file,
        url=settings.url_gateway.rstrip("/"),
        email=settings.owner_email,
    )
    # Whoever is on this machine can read the owner's credentials anyway, so the owner never queues with strangers here.
    for address in ("127.0.0.1", "::1"):
        await stores.addresses.remember(settings.owner_email, network_of(address), utc_now())


@asynccontextmanager
async def _open_services(
    settings: Settings,
    stores: Stores,
    sealer: Sealer,
    commands: Commands,
    clients: ServiceClients,
    streams: Streams,
    *,
    background: LoopSupervisor,
) -> AsyncIterator[Services]:
    accounts, session_token_key = stores.accounts, read_key(settings.session_token_key_file)
    badges = Tokens(session_token_key, audience="cairn-badge")
    principals = Principals(accounts, remembered_seconds=settings.rights_cache_seconds)
    audit = AuditLog(stores.audit, kept_days=settings.audit_days)
    login_log = LoginLog(audit, accounts)
    keys = IdempotencyKeys(stores.keys, session_token_key)
    operations = Operations(stores.operations, commands)
    logins = Logins(
        accounts, principals, badges, Throttle(), stores.addresses, login_log, settings.session_token_ttl_seconds
    )
    downloads = Downloads(clients.restore_index, clients.connector)
    links = Links(downloads, principals, audit, link_key(session_token_key), settings.url_gateway.rstrip("/"))
    encryption = FieldEncryption(sealer, accounts.data_keys)
    async with (
        # Left in reverse order: the log of logins writes its last sums while the audit log still runs.
        audit.running(background),
        login_log.running(background),
        keys.running(background),
        operations.running(background),
        background.running("addresses", lambda: forget_addresses(stores.addresses)),
    ):
        yield Services(
            *(accounts, badges, principals, logins, audit, keys, operations),
            *(clients.catalog, clients.assignment, clients.scheduler),
            *_writing(settings, clients, commands, audit=audit, encryption=encryption),
            *_reading(clients),
            *(downloads, links, streams),
        )


def _writing(
    settings: Settings, clients: ServiceClients, commands: Commands, *, audit: AuditLog, encryption: FieldEncryption
) -> tuple[object, ...]:
    """The use cases that send commands."""
    runs = Runs(clients.catalog, clients.assignment, clients.scheduler, commands)
    prune_runs = PruneRuns(clients.restore_index, runs, commands, audit)
    secret_reads = SecretReads(audit)
    connectors = Connectors(
        clients.catalog,
        clients.assignment,
        clients.connector,
        commands,
        encryption,
        secret_reads,
        settings.initialize_timeout_seconds,
    )
    removals = Removals(clients.assignment, clients.scheduler, clients.restore_index, commands)
    reading = (clients.catalog, clients.assignment, clients.scheduler, clients.restore_index)
    return (
        removals,
        Overviews(*reading, connectors),
        Inventories(clients.catalog, clients.assignment, commands, encryption, secret_reads),
        Integrations(clients.assignment, commands),
        Resources(clients.catalog, clients.assignment, commands),
        Imports(clients.catalog, clients.assignment, commands, settings.max_import_bytes, settings.imports_at_once),
        connectors,
        Bundles(clients.catalog, clients.bundles, commands, encryption, secret_reads),
        Wizard(
            clients.catalog,
            clients.assignment,
            commands,
            Descriptions(clients.assignment, encryption),
            settings.initialize_timeout_seconds,
        ),
        runs,
        Classification(clients.catalog, clients.assignment, commands),
        Protection(clients.assignment, clients.restore_index, prune_runs, commands),
    )


def _reading(clients: ServiceClients) -> tuple[object, ...]:
    """The use cases that only ask."""
    return (
        Snapshots(clients.assignment, clients.restore_index),
        Files(clients.restore_index),
        Search(clients.assignment, clients.restore_index),
        History(clients.assignment, clients.restore_index),
    )
