"""The composition root: builds everything from settings, opens and closes it."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from chassis.http.client import ServiceClient, open_http
from chassis.http.tokens import Tokens
from chassis.http.transport import Http
from chassis.ids import utc_now
from chassis.messaging.command_client import Commands, open_commands
from chassis.messaging.topology import ensure_topics
from chassis.persistence.outbox import Outbox
from chassis.runtime.health import Check
from chassis.runtime.service import ServiceRuntime, open_service_runtime
from chassis.runtime.settings import read_key
from chassis.security.sealing import Sealer
from contracts import topics
from contracts.errors import TemporaryError
from fastapi import FastAPI

from gateway.api import build_api
from gateway.api.gate import Gate
from gateway.domain.links import link_key
from gateway.domain.throttling import place_of
from gateway.settings import Settings
from gateway.store.accounts import Accounts, open_accounts
from gateway.store.audit import AuditLog
from gateway.store.known_addresses import KnownAddresses
from gateway.store.requests import Requests
from gateway.usecases.audit import Audit
from gateway.usecases.bootstrap import bootstrap
from gateway.usecases.connectors import Connectors
from gateway.usecases.downloads import Downloads
from gateway.usecases.history import History
from gateway.usecases.inventories import Inventories
from gateway.usecases.links import Links
from gateway.usecases.login_log import LoginLog
from gateway.usecases.logins import Logins, forget_addresses
from gateway.usecases.operations import Operations
from gateway.usecases.owners import Owners
from gateway.usecases.runs import Runs
from gateway.usecases.secret_reads import SecretReads
from gateway.usecases.secrets import Vault
from gateway.usecases.snapshots import Snapshots
from gateway.usecases.throttle import Throttle
from gateway.usecases.visitors import Visitors

SERVICE = "gateway"
_TOPICS = (
    topics.OUTCOMES,
    topics.CATALOG_COMMANDS,
    topics.ASSIGNMENT_COMMANDS,
    topics.CONNECTOR_COMMANDS,
    topics.SCHEDULER_COMMANDS,
)


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
        accounts, requests, entries, known = await _open_stores(runtime)
        sealer = Sealer(read_key(settings.master_key_file))
        await bootstrap(
            accounts,
            sealer,
            path=settings.credentials_file,
            url=settings.url_gateway.rstrip("/"),
            email=settings.owner_email,
        )
        await _know_the_owner(known, settings)
        await ensure_topics(settings, _TOPICS)
        background = runtime.background
        commands = await stack.enter_async_context(
            open_commands(settings, runtime.publisher, service=SERVICE, background=background)
        )
        http = await stack.enter_async_context(open_http())
        audit = await stack.enter_async_context(Audit(entries, kept_days=settings.audit_days).running(background))
        logins = await stack.enter_async_context(LoginLog(audit, accounts).running(background))
        await stack.enter_async_context(background.running("addresses", lambda: forget_addresses(known)))
        operations = await stack.enter_async_context(Operations(requests, commands).running(background))
        gate = _gate(
            settings,
            accounts=accounts,
            requests=requests,
            vault=Vault(sealer, accounts.data_keys),
            commands=commands,
            operations=operations,
            audit=audit,
            known=known,
            login_log=logins,
            owners=_owners(settings, http),
        )
        checks = {**runtime.checks(), **_service_checks(settings, http)}
        yield build_api(gate, checks, max_body_bytes=settings.max_body_bytes)


async def _know_the_owner(known: KnownAddresses, settings: Settings) -> None:
    """Who is on the machine of the gateway can read the credentials there: as its owner he is known from the start."""
    for address in ("127.0.0.1", "::1"):
        await known.remember(settings.owner_email, place_of(address), utc_now())


async def _open_stores(runtime: ServiceRuntime) -> tuple[Accounts, Requests, AuditLog, KnownAddresses]:
    database = runtime.database
    requests, entries, known = Requests(database), AuditLog(database), KnownAddresses(database)
    for store in (requests, entries, known):
        await store.setup()
    return await open_accounts(runtime), requests, entries, known


def _gate(
    settings: Settings,
    *,
    accounts: Accounts,
    requests: Requests,
    vault: Vault,
    commands: Commands,
    operations: Operations,
    audit: Audit,
    known: KnownAddresses,
    login_log: LoginLog,
    owners: Owners,
) -> Gate:
    badge_key = read_key(settings.badge_key_file)
    badges = Tokens(badge_key, audience="cairn-badge")
    downloads = Downloads(owners)
    visitors = Visitors(accounts, remembered_seconds=settings.rights_cache_seconds)
    return Gate(
        accounts=accounts,
        badges=badges,
        logins=Logins(accounts, visitors, badges, Throttle(), known, login_log, settings.badge_ttl_seconds),
        visitors=visitors,
        owners=owners,
        inventories=Inventories(owners, commands),
        connectors=Connectors(owners, commands, vault, SecretReads(audit), settings.initialize_timeout_seconds),
        runs=Runs(owners, commands),
        snapshots=Snapshots(owners),
        downloads=downloads,
        links=Links(downloads, visitors, audit, link_key(badge_key), settings.url_gateway.rstrip("/")),
        audit=audit,
        history=History(owners),
        operations=operations,
        requests=requests,
        fingerprint_key=hashlib.sha256(b"cairn request fingerprints" + badge_key).digest(),
    )


def _addresses(settings: Settings) -> dict[str, str]:
    return {
        "catalog": settings.url_catalog,
        "assignment": settings.url_assignment,
        "scheduler": settings.url_scheduler,
        "restore_index": settings.url_restore_index,
        "connector": settings.url_connector,
    }


def _owners(settings: Settings, http: Http) -> Owners:
    tokens = Tokens(read_key(settings.service_key_file), audience="cairn-internal")
    return Owners(**{name: ServiceClient(url, http=http, tokens=tokens) for name, url in _addresses(settings).items()})


def _service_checks(settings: Settings, http: Http) -> dict[str, Check]:
    return {name: _reaches(http, url) for name, url in _addresses(settings).items()}


def _reaches(http: Http, url: str) -> Check:
    async def check() -> None:
        async with http.stream("GET", f"{url.rstrip('/')}/health/ready", headers={}) as answer:
            await answer.aread()
        if answer.status_code >= 400:
            raise TemporaryError("service_not_ready", "A part of Cairn is not ready.")

    return check
