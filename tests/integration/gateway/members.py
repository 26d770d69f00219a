"""Accounts beside the owner, put straight into the gateway's database: no route makes them yet."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from chassis.http.tokens import Caller, Tokens
from chassis.ids import new_id
from chassis.runtime.service_runtime import open_service_runtime
from chassis.runtime.settings import CommonSettings, read_key
from contracts.messages.connector.base import EVERYBODY
from contracts.values import OrganizationId
from gateway.access.accounts import Account, Grant, Membership, Organization
from gateway.access.store import Accounts, membership_id, open_accounts

from tests.integration.gateway.client import Client
from tests.integration.gateway.conftest import Platform


@asynccontextmanager
async def accounts_of(settings: CommonSettings) -> AsyncIterator[Accounts]:
    """The gateway's own data."""
    async with open_service_runtime(settings, "gateway") as runtime:
        yield await open_accounts(runtime)


async def add_member(accounts: Accounts, org: OrganizationId, *roles: str) -> str:
    """Id of a new account that is a member with these roles."""
    made = new_id()
    address = f"{made}@example.com"
    account = Account(id=made, email=address, name="Somebody", login=address, home_id=org)
    await accounts.accounts.save(await accounts.accounts.load(EVERYBODY, made), account)
    membership = Membership(organization_id=org, account_id=made)
    await accounts.memberships.save(await accounts.memberships.load(org, membership_id(org, made)), membership)
    for role in roles:
        grant = Grant(id=new_id(), organization_id=org, account_id=made, role=role)
        await accounts.grants.save(await accounts.grants.load(org, grant.id), grant)
    return made


async def add_organization(accounts: Accounts, parent: OrganizationId | None) -> OrganizationId:
    """Id of a new organization."""
    made = OrganizationId(new_id())
    organization = Organization(id=made, name=f"Organization {made}", parent_id=parent)
    await accounts.organizations.save(await accounts.organizations.load(EVERYBODY, made), organization)
    return made


def badge_for(key_file: Path, account_id: str, org: OrganizationId, *, ttl_seconds: int = 600) -> str:
    """A badge as the gateway would sign it."""
    badges = Tokens(read_key(key_file), audience="cairn-badge")
    return badges.sign(Caller(organization_id=org, account_id=account_id), ttl_seconds=ttl_seconds)


async def as_member(platform: Platform, api: Client, *roles: str, org: str | None = None) -> Client:
    """A client of a new account with these roles."""
    here = OrganizationId(org or api.organization_id)
    async with accounts_of(platform.corner.settings()) as accounts:
        account = await add_member(accounts, here, *roles)
    badge = badge_for(platform.folder / "badge.key", account, here)
    http = httpx.AsyncClient(base_url=platform.url, trust_env=False, headers={"authorization": f"Bearer {badge}"})
    return Client(http, here)
