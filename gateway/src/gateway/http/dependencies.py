"""What the routes of the gateway are handed: the use cases, who is asking, and what a repeated request means."""

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, cast

from chassis.http.server import bearer
from chassis.http.tokens import Tokens
from fastapi import Depends, Header, Query, Request

from gateway.access.principal import Principal
from gateway.access.principals import Principals
from gateway.audit_log.log import AuditLog
from gateway.http.middleware import check_body
from gateway.http.query_parameters import check_query
from gateway.idempotency.intents import KEY_PATTERN, LONGEST_KEY, Intent
from gateway.idempotency.keys import IdempotencyKeys

S = TypeVar("S")
# Clients ask for pages of 50 and go on by the number of rows that they get.
PAGE_ROWS = 50
# The services take no larger one; beyond it every listing has ended.
LARGEST_OFFSET = 2**31 - 1


class Services:
    """What the routes work with, found by its class."""

    def __init__(self, *services: object) -> None:
        self._by_class = {kind: each for each in services for kind in type(each).__mro__}

    def __getitem__(self, kind: type[S]) -> S:
        """The service of a class, or of a class derived from it."""
        return cast("S", self._by_class[kind])


async def services_of(request: Request) -> Services:
    """The services of the application that answers a request. (A dependency that is not `async` costs a thread.)"""
    return cast("Services", request.app.state.services)


Provided = Annotated[Services, Depends(services_of)]


def provided(kind: type[S]) -> Any:
    """The dependency of a route on a service."""

    async def find(services: Provided) -> S:
        return services[kind]

    return Depends(find)


Audit = Annotated[AuditLog, provided(AuditLog)]


async def address_of(request: Request) -> str:
    """The address of the client: that of a trusted proxy's client, when it came through one."""
    return request.client.host if request.client else ""


Address = Annotated[str, Depends(address_of)]


async def principal_of(request: Request, services: Provided) -> Principal:
    """Who is asking. Raises `Unauthorized` without a valid badge, then what is wrong with the body or the query."""
    token = bearer(request)
    principal = await services[Principals].recognize(services[Tokens].read(token))
    # Last: who may not come in does not learn what is wrong with the request.
    check_body(request)
    check_query(request)
    return principal


Who = Annotated[Principal, Depends(principal_of)]


async def principal_in(org: str, services: Provided, who: Who) -> Principal:
    """Who is asking, in the organization of the path. Raises `NotFound` for an organization out of reach."""
    return await services[Principals].enter(who, org)


WhoInOrganization = Annotated[Principal, Depends(principal_in)]


IdempotencyKey = Annotated[
    str | None,
    Header(
        # Checked by `IdempotencyKeys`, which answers with a code of its own; here it is only described.
        description="Chosen by the client; a request repeated with it changes nothing the second time.",
        json_schema_extra={"minLength": 1, "maxLength": LONGEST_KEY, "pattern": KEY_PATTERN},
    ),
]


async def intent_in(request: Request, services: Provided, who: Who, idempotency_key: IdempotencyKey = None) -> Intent:
    """What a writing request wants done, the same for a repeated `Idempotency-Key`."""
    return await intent_for(request, services, who, key=idempotency_key, body=await request.body())


async def intent_for(request: Request, services: Services, who: Principal, *, key: str | None, body: bytes) -> Intent:
    """What a request with this body, or a digest of it, wants done."""
    return await services[IdempotencyKeys].intent(who, route=f"{request.method} {request.url.path}", key=key, body=body)


RequestIntent = Annotated[Intent, Depends(intent_in)]


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
    # Cut, not refused: a page has 50 rows at most, whatever a client asks for.
    return Paging(min(limit or PAGE_ROWS, PAGE_ROWS), min(offset, LARGEST_OFFSET))


Paged = Annotated[Paging, Depends(paging)]
Search = Annotated[str, Query(max_length=1000, description="A part of the URN or the name, whatever the case")]
