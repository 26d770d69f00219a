"""Logging in and going to another organization."""

from typing import Annotated

from fastapi import APIRouter, Depends

from gateway.access.principals import Principals
from gateway.areas.auth.schemas import ApiKeyLogin, BadgeExchange, BadgeView, MeView, PasswordLogin, me_view
from gateway.areas.auth.service import Logins
from gateway.http.dependencies import Address, Who, provided
from gateway.http.middleware import check_body
from gateway.http.openapi import PUBLIC, problems

router = APIRouter(prefix="/api/v1")
Service = Annotated[Logins, provided(Logins)]
KnownPrincipals = Annotated[Principals, provided(Principals)]


@router.post(
    "/auth/login/apikey",
    tags=["auth"],
    summary="Log in with an API key",
    openapi_extra=PUBLIC,
    dependencies=[Depends(check_body)],
    responses=problems(401, 413),
)
async def log_in_by_api_key(body: ApiKeyLogin, logins: Service, address: Address) -> BadgeView:
    """A badge for the organization in which the key was made. It stands as long as the key and the membership do."""
    token = await logins.by_api_key(body.api_key, address=address)
    return BadgeView(token=token, expires_in_seconds=logins.session_token_ttl_seconds)


@router.post(
    "/auth/login/password",
    tags=["auth"],
    summary="Log in with email and password",
    openapi_extra=PUBLIC,
    dependencies=[Depends(check_body)],
    responses=problems(401, 413, 429),
)
async def log_in_by_password(body: PasswordLogin, logins: Service, address: Address) -> BadgeView:
    """A badge for the home organization of the account.

    Tries from one address go one after the other, and failures make the next one wait. Who logged in from there before
    does not wait for others. Where too many wait already, the answer is 429 with `Retry-After`.
    """
    token = await logins.by_password(body.email, body.password, address=address)
    return BadgeView(token=token, expires_in_seconds=logins.session_token_ttl_seconds)


@router.post("/auth/badge", tags=["auth"], summary="Go to another organization", responses=problems(404, 413))
async def exchange_badge(body: BadgeExchange, logins: Service, who: Who, address: Address) -> BadgeView:
    """A badge of the same account for an organization in which it is a member, there or above."""
    token = await logins.exchange(who, body.organization_id, address=address)
    return BadgeView(token=token, expires_in_seconds=logins.session_token_ttl_seconds)


@router.get("/account/me", tags=["organizations"], summary="Who is logged in")
async def read_me(principals: KnownPrincipals, who: Who) -> MeView:
    """The account of the badge, and the organization it is for."""
    return me_view(who, await principals.account(who))
