"""The gateway's own data in memory."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chassis.http.tokens import Tokens
from chassis.persistence.aggregates import Aggregate
from chassis.persistence.memory_aggregates import MemoryAggregates
from chassis.persistence.mongo import PyMongoError
from contracts.messages.connector.base import EVERYBODY
from contracts.values import OrganizationId
from gateway.access.accounts import Account, ApiKey, DataKey, Grant, Membership, Organization
from gateway.access.principals import Principals
from gateway.access.store import Accounts, membership_id
from gateway.areas.auth.known_addresses import KnownAddresses
from gateway.areas.auth.login_log import LoginLog
from gateway.areas.auth.service import Logins
from gateway.areas.auth.throttle import Throttle
from gateway.audit_log.entries import AuditRow, Ending
from gateway.audit_log.log import AuditLog
from gateway.audit_log.store import AuditStore
from gateway.http.dependencies import Services

ROOT_ORG, CHILD_ORG, FOREIGN_ORG = (
    OrganizationId("org-root"),
    OrganizationId("org-child"),
    OrganizationId("org-foreign"),
)


class NoServices(Services):
    """For requests that are refused before any service is asked for anything."""

    def __getitem__(self, kind: type[Any]) -> Any:
        """None in place of each."""


class Died(Exception):
    """The process was killed here."""


@dataclass
class DyingAggregates(MemoryAggregates[Any]):
    """Aggregates of a process that dies after a number of saves."""

    lives: list[int] = field(default_factory=lambda: [1_000_000])

    async def save(self, record: Aggregate[Any], value: Any, **about: Any) -> Aggregate[Any]:
        """Save, unless the process is dead by now."""
        if self.lives[0] == 0:
            raise Died
        self.lives[0] -= 1
        return await super().save(record, value, **about)


def accounts_in_memory(lives: list[int] | None = None) -> Accounts:
    """Collections that forget everything, with one life in common."""
    shared = lives or [1_000_000]
    return Accounts(
        DyingAggregates(Account, keys=lambda a: {"email": a.email}, lives=shared),
        DyingAggregates(Organization, keys=lambda o: {"parent_id": o.parent_id or ""}, lives=shared),
        DyingAggregates(Membership, keys=lambda m: {"account_id": m.account_id}, lives=shared),
        DyingAggregates(Grant, keys=lambda g: {"account_id": g.account_id}, lives=shared),
        DyingAggregates(ApiKey, lives=shared),
        DyingAggregates(DataKey, lives=shared),
    )


def an_account(account_id: str = "someone", **changes: Any) -> Account:
    """Somebody with a login."""
    facts: dict[str, Any] = {
        "id": account_id,
        "email": f"{account_id}@example.com",
        "name": account_id.title(),
        "login": f"{account_id}@example.com",
        "home_id": ROOT_ORG,
    }
    return Account.model_validate(facts | changes)


async def add(accounts: Accounts, account: Account, *, org: OrganizationId = ROOT_ORG, role: str | None = None) -> None:
    """An account that is a member, perhaps with a role."""
    await accounts.accounts.save(await accounts.accounts.load(EVERYBODY, account.id), account)
    made = membership_id(org, account.id)
    membership = Membership(organization_id=org, account_id=account.id)
    await accounts.memberships.save(await accounts.memberships.load(org, made), membership)
    if role:
        grant = Grant(id=f"{account.id}-{role}", organization_id=org, account_id=account.id, role=role)
        await accounts.grants.save(await accounts.grants.load(org, grant.id), grant)


async def add_organizations(accounts: Accounts) -> None:
    """A root, a child below it, and one that has nothing to do with them."""
    for organization in (
        Organization(id=ROOT_ORG, name="Root"),
        Organization(id=CHILD_ORG, name="Child", parent_id=ROOT_ORG),
        Organization(id=FOREIGN_ORG, name="Foreign"),
    ):
        record = await accounts.organizations.load(EVERYBODY, organization.id)
        await accounts.organizations.save(record, organization)


async def drop(records: Any, org: OrganizationId, record_id: str) -> None:
    """Remove a value, as a route will."""
    await records.save(await records.load(org, record_id), None)


class AuditInMemory(AuditStore):
    """Entries in a list."""

    def __init__(self, written: list[AuditRow]) -> None:
        self.written = written
        self.broken = False

    async def begin(self, entry: AuditRow) -> None:
        """See `AuditStore`."""
        await self._answer()
        self.written.append(entry)

    async def _answer(self) -> None:
        if self.broken:
            raise PyMongoError("away")

    async def end(self, org: OrganizationId, entry_id: str, ending: Ending, now: datetime) -> None:
        """See `AuditStore`."""
        await self._answer()
        for place in [n for n, e in enumerate(self.written) if (e.id, e.entry.organization_id) == (entry_id, org)]:
            self.written[place] = self.written[place].model_copy(update={"ending": ending, "ended_at": now})


class AddressesInMemory(KnownAddresses):
    """Pairs in a set."""

    def __init__(self) -> None:
        self.pairs: set[tuple[str, str]] = set()

    async def knows(self, email: str, address: str) -> bool:
        """See `KnownAddresses`."""
        return (email, address) in self.pairs

    async def remember(self, email: str, address: str, now: datetime) -> None:
        """See `KnownAddresses`."""
        self.pairs.add((email, address))


def logins_in_memory(
    accounts: Accounts, principals: Principals, badges: Tokens, written: list[AuditRow] | None = None
) -> Logins:
    """The use case over memory."""
    audit = AuditLog(AuditInMemory(written if written is not None else []), kept_days=1)
    return Logins(accounts, principals, badges, Throttle(), AddressesInMemory(), LoginLog(audit, accounts), 60)
