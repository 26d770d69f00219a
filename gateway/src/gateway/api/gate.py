"""What the routes of the gateway are handed: the use cases, who is asking, and what a repeated request means."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Annotated, cast

from chassis.http.server import bearer
from chassis.http.tokens import Tokens
from fastapi import Depends, Header, Query, Request

from gateway.api.layers import check_body
from gateway.domain.intents import Intent
from gateway.domain.rights import Right
from gateway.store.accounts import Accounts
from gateway.store.requests import Requests
from gateway.usecases.audit import Audit
from gateway.usecases.connectors import Connectors
from gateway.usecases.downloads import Downloads
from gateway.usecases.history import History
from gateway.usecases.inventories import Inventories
from gateway.usecases.links import Links
from gateway.usecases.logins import Logins
from gateway.usecases.operations import KEY_PATTERN, LONGEST_KEY, Operations, intent_of
from gateway.usecases.owners import Owners
from gateway.usecases.runs import Runs
from gateway.usecases.snapshots import Snapshots
from gateway.usecases.visitors import Visitor, Visitors

PAGE_ROWS = 50
LARGEST_OFFSET = 2**31 - 1


@dataclass(frozen=True)
class Gate:
    """Everything behind the routes."""

    accounts: Accounts
    badges: Tokens
    logins: Logins
    visitors: Visitors
    owners: Owners
    inventories: Inventories
    connectors: Connectors
    runs: Runs
    snapshots: Snapshots
    downloads: Downloads
    links: Links
    audit: Audit
    history: History
    operations: Operations
    requests: Requests
    fingerprint_key: bytes


async def gate_of(request: Request) -> Gate:
    """The gate of the application that serves a request. (A dependency that is not `async` costs a thread.)"""
    return cast("Gate", request.app.state.gate)


Opened = Annotated[Gate, Depends(gate_of)]


async def address_of(request: Request) -> str:
    """The address of the client: that of a trusted proxy's client, when it came through one."""
    return request.client.host if request.client else ""


Address = Annotated[str, Depends(address_of)]


async def visitor_of(request: Request, gate: Opened) -> Visitor:
    """Who is asking. Raises `Unauthorized` without a valid badge, then what is wrong with the body."""
    token = bearer(request)
    visitor = await gate.visitors.recognize(gate.badges.read(token))
    check_body(request)
    return visitor


Who = Annotated[Visitor, Depends(visitor_of)]


async def visitor_in(org: str, gate: Opened, who: Who) -> Visitor:
    """Who is asking, in the organization of the path. Raises `NotFound` for an organization out of reach."""
    return await gate.visitors.enter(who, org)


WhoThere = Annotated[Visitor, Depends(visitor_in)]


async def intent_in(
    request: Request,
    gate: Opened,
    who: Who,
    idempotency_key: Annotated[
        str | None,
        Header(
            description="Chosen by the client; a request repeated with it changes nothing the second time.",
            json_schema_extra={"minLength": 1, "maxLength": LONGEST_KEY, "pattern": KEY_PATTERN},
        ),
    ] = None,
) -> Intent:
    """What a writing request wants done, the same for a repeated `Idempotency-Key`."""
    body = await request.body()
    fingerprint = hmac.digest(gate.fingerprint_key, body, hashlib.sha256).hex()
    route = f"{request.method} {request.url.path}"
    return await intent_of(gate.requests, who, route=route, key=idempotency_key, fingerprint=fingerprint)


Wanted = Annotated[Intent, Depends(intent_in)]


@dataclass(frozen=True)
class Paging:
    """Which rows of a listing."""

    limit: int
    offset: int


async def paging(
    limit: Annotated[int, Query(ge=0, description=f"Rows at most; never more than {PAGE_ROWS}; 0: {PAGE_ROWS}")] = 0,
    offset: Annotated[int, Query(ge=0, description="Rows to skip")] = 0,
) -> Paging:
    """The page a client asks for, within what it may ask."""
    return Paging(min(limit or PAGE_ROWS, PAGE_ROWS), min(offset, LARGEST_OFFSET))


Paged = Annotated[Paging, Depends(paging)]
Search = Annotated[str, Query(max_length=1000, description="A part of the URN or the name, whatever the case")]

__all__ = [
    "LARGEST_OFFSET",
    "PAGE_ROWS",
    "Address",
    "Gate",
    "Opened",
    "Paged",
    "Paging",
    "Right",
    "Search",
    "Wanted",
    "Who",
    "WhoThere",
    "gate_of",
    "visitor_of",
]
