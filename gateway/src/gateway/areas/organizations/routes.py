"""Organizations, their members and grants. Reading only."""

from typing import Annotated

from fastapi import APIRouter, Depends

from gateway.access.principals import Principals
from gateway.access.rights import Right
from gateway.access.store import Accounts
from gateway.areas.organizations.schemas import (
    GrantView,
    MemberView,
    OrganizationView,
    RoleView,
    grant_view,
    member_view,
    organization_view,
    role_views,
)
from gateway.http.answers import PageView, page, whole
from gateway.http.dependencies import Paged, WhoInOrganization, principal_of, provided
from gateway.http.openapi import problems

router = APIRouter(prefix="/api/v1", tags=["organizations"])
KnownPrincipals = Annotated[Principals, provided(Principals)]
KnownAccounts = Annotated[Accounts, provided(Accounts)]


@router.get("/account/organizations/{org}", summary="Read an organization", responses=problems(404))
async def read_organization(principals: KnownPrincipals, who: WhoInOrganization) -> OrganizationView:
    """The organization of the badge, or one below it."""
    return organization_view(await principals.organization(who))


@router.get(
    "/account/organizations/{org}/children", summary="List the organizations directly below", responses=problems(404)
)
async def list_children(accounts: KnownAccounts, who: WhoInOrganization) -> list[OrganizationView]:
    """A bare array, complete."""
    if not who.may(Right.READ):
        return []
    # No page: one of the clients takes nothing but an array here.
    return [organization_view(o) for o in await accounts.children(who.organization_id)]


@router.get("/account/organizations/{org}/members", summary="List members", responses=problems(404))
async def list_members(accounts: KnownAccounts, who: WhoInOrganization, paged: Paged) -> PageView[MemberView]:
    """Accounts that belong to the organization."""
    if not who.may(Right.READ):
        return page(0, [])
    found = await accounts.memberships.find(who.organization_id, limit=paged.limit, offset=paged.offset)
    members = [await accounts.account(m.account_id) for m in found.items]
    return page(found.total, [member_view(a) for a in members if a])


@router.get("/account/organizations/{org}/access", summary="List grants", responses=problems(404))
async def list_grants(accounts: KnownAccounts, who: WhoInOrganization, paged: Paged) -> PageView[GrantView]:
    """Who holds which role in the organization."""
    if not who.may(Right.READ):
        return page(0, [])
    found = await accounts.grants.find(who.organization_id, limit=paged.limit, offset=paged.offset)
    return page(found.total, [grant_view(g, await accounts.account(g.account_id)) for g in found.items])


@router.get("/account/organizations/{org}/access/{grant}", summary="Read a grant", responses=problems(404))
async def read_grant(
    grant: str, principals: KnownPrincipals, accounts: KnownAccounts, who: WhoInOrganization
) -> GrantView:
    """One grant."""
    who.require(Right.READ)
    found = await principals.grant(who, grant)
    return grant_view(found, await accounts.account(found.account_id))


# For every account, also without a grant: the roles are the same everywhere.
@router.get("/roles", summary="List roles", dependencies=[Depends(principal_of)])
async def list_roles() -> PageView[RoleView]:
    """The roles that can be granted, and what they permit."""
    return whole(role_views())
