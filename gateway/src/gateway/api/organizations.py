"""Organizations, their members and grants. Reading only."""

from fastapi import APIRouter, Depends

from gateway.api.documents import problems
from gateway.api.gate import Opened, Paged, Right, WhoThere, visitor_of
from gateway.api.views.accounts import (
    GrantView,
    MemberView,
    OrganizationView,
    RoleView,
    grant_view,
    member_view,
    organization_view,
    role_views,
)
from gateway.api.views.base import PageView, page, whole

router = APIRouter(prefix="/api/v1", tags=["organizations"])


@router.get("/account/organizations/{org}", summary="Read an organization", responses=problems(404))
async def read_organization(gate: Opened, who: WhoThere) -> OrganizationView:
    """The organization of the badge, or one below it."""
    return organization_view(await gate.visitors.organization(who))


@router.get(
    "/account/organizations/{org}/children", summary="List the organizations directly below", responses=problems(404)
)
async def list_children(gate: Opened, who: WhoThere) -> list[OrganizationView]:
    """A bare array, complete."""
    if not who.may(Right.READ):
        return []
    return [organization_view(o) for o in await gate.accounts.children(who.organization_id)]


@router.get("/account/organizations/{org}/members", summary="List members", responses=problems(404))
async def list_members(gate: Opened, who: WhoThere, paged: Paged) -> PageView[MemberView]:
    """Accounts that belong to the organization."""
    if not who.may(Right.READ):
        return page(0, [])
    found = await gate.accounts.memberships.find(who.organization_id, limit=paged.limit, offset=paged.offset)
    accounts = [await gate.accounts.account(m.account_id) for m in found.items]
    return page(found.total, [member_view(a) for a in accounts if a])


@router.get("/account/organizations/{org}/access", summary="List grants", responses=problems(404))
async def list_grants(gate: Opened, who: WhoThere, paged: Paged) -> PageView[GrantView]:
    """Who holds which role in the organization."""
    if not who.may(Right.READ):
        return page(0, [])
    found = await gate.accounts.grants.find(who.organization_id, limit=paged.limit, offset=paged.offset)
    return page(found.total, [grant_view(g, await gate.accounts.account(g.account_id)) for g in found.items])


@router.get("/account/organizations/{org}/access/{grant}", summary="Read a grant", responses=problems(404))
async def read_grant(grant: str, gate: Opened, who: WhoThere) -> GrantView:
    """One grant."""
    who.require(Right.READ)
    found = await gate.visitors.grant(who, grant)
    return grant_view(found, await gate.accounts.account(found.account_id))


@router.get("/roles", summary="List roles", dependencies=[Depends(visitor_of)])
async def list_roles() -> PageView[RoleView]:
    """The roles that can be granted, and what they permit."""
    return whole(role_views())
