"""The gateway's own aggregates in MongoDB.

Accounts, organizations and keys are found before anybody knows the organization of the caller; they belong to the
installation (`EVERYBODY`). Memberships, grants and data keys belong to their organization.
"""

from dataclasses import dataclass

from chassis.persistence.aggregates import Aggregates
from chassis.persistence.mongo_aggregates import LISTING, MongoAggregates
from chassis.runtime.service_runtime import ServiceRuntime
from contracts.messages.connector.base import EVERYBODY
from contracts.values import OrganizationId

from gateway.access.accounts import Account, ApiKey, DataKey, Grant, Membership, Organization

ROOT = ""
"""`parent_id` under which root organizations are found."""


@dataclass(frozen=True)
class Accounts:
    """Who may come in."""

    accounts: Aggregates[Account]
    organizations: Aggregates[Organization]
    memberships: Aggregates[Membership]
    grants: Aggregates[Grant]
    api_keys: Aggregates[ApiKey]
    data_keys: Aggregates[DataKey]

    async def account(self, account_id: str) -> Account | None:
        """An account by id."""
        return await self.accounts.get(EVERYBODY, account_id)

    async def account_by_email(self, email: str) -> Account | None:
        """The account with an address, whatever its case."""
        found = await self.accounts.find(EVERYBODY, {"email": email.lower()}, limit=1)
        return found.items[0] if found.items else None

    async def api_key(self, digest: str) -> ApiKey | None:
        """An API key by the SHA-256 of its value."""
        return await self.api_keys.get(EVERYBODY, digest)

    async def organization(self, organization_id: str) -> Organization | None:
        """An organization by id."""
        return await self.organizations.get(EVERYBODY, organization_id)

    async def children(self, parent_id: str) -> list[Organization]:
        """The organizations directly below one, oldest first; below `ROOT`: those at the top."""
        return (await self.organizations.find(EVERYBODY, {"parent_id": parent_id})).items

    async def roles(self, org: OrganizationId, account_id: str) -> tuple[str, ...]:
        """The roles an account holds in an organization by grants there."""
        found = await self.grants.find(org, {"account_id": account_id})
        return tuple(g.role for g in found.items)

    async def is_member(self, org: OrganizationId, account_id: str) -> bool:
        """Whether an account is a member of an organization itself."""
        return await self.memberships.get(org, membership_id(org, account_id)) is not None


def membership_id(org: OrganizationId, account_id: str) -> str:
    """Id of a membership's document: there is one for each pair."""
    return f"{org}:{account_id}"


async def open_accounts(runtime: ServiceRuntime) -> Accounts:
    """The collections, with their indexes made."""
    database, outbox = runtime.database, runtime.outbox
    accounts = MongoAggregates(
        database["accounts"],
        Account,
        outbox,
        keys=lambda a: {"email": a.email},
        indexes=(("org", "email", "_id"),),  # account_by_email
        obsolete=("email_1",),
    )
    organizations = MongoAggregates(
        database["organizations"],
        Organization,
        outbox,
        keys=lambda o: {"parent_id": o.parent_id or ROOT},
        indexes=(("org", "parent_id", "_id"),),  # children
        obsolete=("parent_id_1",),
    )
    memberships = MongoAggregates(
        database["memberships"],
        Membership,
        outbox,
        keys=lambda m: {"account_id": m.account_id},
        indexes=(LISTING,),  # memberships of an organization
    )
    grants = MongoAggregates(
        database["grants"],
        Grant,
        outbox,
        keys=lambda g: {"account_id": g.account_id},
        indexes=(
            ("org", "account_id", "_id"),  # roles
            LISTING,  # grants of an organization
        ),
    )
    api_keys = MongoAggregates(database["api_keys"], ApiKey, outbox)
    data_keys = MongoAggregates(database["data_keys"], DataKey, outbox)
    for aggregates in (accounts, organizations, memberships, grants, api_keys, data_keys):
        await aggregates.setup()
    return Accounts(accounts, organizations, memberships, grants, api_keys, data_keys)
