"""Logging in and going to another organization."""

from fastapi import APIRouter, Depends

from gateway.api.bodies.accounts import ApiKeyLogin, BadgeExchange, PasswordLogin
from gateway.api.documents import PUBLIC, problems
from gateway.api.gate import Address, Opened, Who
from gateway.api.layers import check_body
from gateway.api.views.accounts import BadgeView, MeView, me_view

router = APIRouter(prefix="/api/v1")


@router.post(
    "/auth/login/apikey",
    tags=["auth"],
    summary="Log in with an API key",
    openapi_extra=PUBLIC,
    dependencies=[Depends(check_body)],
    responses=problems(401, 413),
)
async def log_in_by_api_key(body: ApiKeyLogin, gate: Opened, address: Address) -> BadgeView:
    """A badge for the organization in which the key was made. It stands as long as the key and the membership do."""
    token = await gate.logins.by_api_key(body.api_key, address=address)
    return BadgeView(token=token, expires_in_seconds=gate.logins.badge_ttl_seconds)


@router.post(
    "/auth/login/password",
    tags=["auth"],
    summary="Log in with email and password",
    openapi_extra=PUBLIC,
    dependencies=[Depends(check_body)],
    responses=problems(401, 413, 429),
)
async def log_in_by_password(body: PasswordLogin, gate: Opened, address: Address) -> BadgeView:
    """A badge for the home organization of the account.

    Tries from one address go one after the other, and failures make the next one wait. Who logged in from there before
    does not wait for others. Where too many wait already, the answer is 429 with `Retry-After`.
    """
    token = await gate.logins.by_password(body.email, body.password, address=address)
    return BadgeView(token=token, expires_in_seconds=gate.logins.badge_ttl_seconds)


@router.post("/auth/badge", tags=["auth"], summary="Go to another organization", responses=problems(404, 413))
async def exchange_badge(body: BadgeExchange, gate: Opened, who: Who, address: Address) -> BadgeView:
    """A badge of the same account for an organization in which it is a member, there or above."""
    token = await gate.logins.exchange(who, body.organization_id, address=address)
    return BadgeView(token=token, expires_in_seconds=gate.logins.badge_ttl_seconds)


@router.get("/account/me", tags=["organizations"], summary="Who is logged in")
async def read_me(gate: Opened, who: Who) -> MeView:
    """The account of the badge, and the organization it is for."""
    return me_view(who, await gate.visitors.account(who))
