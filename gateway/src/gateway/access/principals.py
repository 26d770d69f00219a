"""Who is asking, and what they may do where."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping

from chassis.http.tokens import Caller
from contracts.errors import Invalid, NotFound, Unauthorized
from contracts.values import OrganizationId

from gateway.access.accounts import Account, Grant, Organization
from gateway.access.principal import Principal
from gateway.access.store import Accounts

_DEEPEST = 32
_REMEMBERED = 10_000


class Principals:
    """Recognizes callers by their badges. Roles are remembered for a moment, as a page asks for many things at once."""

    def __init__(self, accounts: Accounts, *, remembered_seconds: float) -> None:
        self._accounts = accounts
        self._remembered_seconds = remembered_seconds
        self._known: OrderedDict[Caller, tuple[float, Principal]] = OrderedDict()

    async def recognize(self, badge: Caller) -> Principal:
        """The principal a badge speaks for.

        Raises `Unauthorized` when account, organization, API key or membership that it came from are gone.
        """
        # A page of the console asks for a dozen things at once, and each would read the same four collections.
        until, principal = self._known.get(badge, (0.0, None))
        if principal is None or until < time.monotonic():
            principal = await self._look_up(badge)
            self._known[badge] = (time.monotonic() + self._remembered_seconds, principal)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return principal

    async def _look_up(self, badge: Caller) -> Principal:
        # Side by side: each is a round trip to the database, and none needs what another one finds.
        account, chain, key_stands = await asyncio.gather(
            self._accounts.account(badge.account_id), self._upwards(badge.organization_id), self._key_stands(badge)
        )
        if account is None or not chain or not key_stands:
            raise _gone()
        standing = await self._standing(chain, account.id)
        # At home an account may come in without a membership: from there it goes to where it has one (0027).
        if not standing and chain[0].id != account.home_id:
            raise _gone()
        held = await asyncio.gather(*(self._accounts.roles(o.id, account.id) for o in standing))
        roles = [role for roles in held for role in roles]
        return Principal(
            account_id=account.id,
            organization_id=chain[0].id,
            # Each role once: it may be granted at several levels of the tree.
            roles=tuple(dict.fromkeys(roles)),
            is_member=bool(standing),
            key_id=badge.key_id,
        )

    async def _key_stands(self, badge: Caller) -> bool:
        if badge.key_id is None:
            return True
        key = await self._accounts.api_key(badge.key_id)
        return key is not None and key.account_id == badge.account_id

    async def _standing(self, chain: list[Organization], account_id: str) -> list[Organization]:
        """Those of an organization and the ones above it whose grants count: where the account is a member, or below.

        A grant that outlived the membership it was made for permits nothing.
        """
        member = await asyncio.gather(*(self._accounts.is_member(o.id, account_id) for o in chain))
        return chain[: max((n + 1 for n, is_member in enumerate(member) if is_member), default=0)]

    async def enter(self, principal: Principal, organization_id: str) -> Principal:
        """The same principal in the organization of the badge or one below it.

        Raises `NotFound` for any other, so that nobody learns which organizations there are.
        """
        if not principal.is_member:
            raise _unknown()
        # The organization of the badge itself: `recognize` has looked it up already.
        if organization_id == principal.organization_id:
            return principal
        chain = await self._upwards(organization_id)
        if principal.organization_id not in [o.id for o in chain]:
            raise _unknown()
        return await self.recognize(
            Caller(organization_id=chain[0].id, account_id=principal.account_id, key_id=principal.key_id)
        )

    async def admit(self, account_id: str, organization_id: str) -> OrganizationId:
        """The organization, when the account is a member there or above. Raises `NotFound` when it may not enter."""
        for organization in (chain := await self._upwards(organization_id)):
            if await self._accounts.is_member(organization.id, account_id):
                return chain[0].id
        raise _unknown()

    async def check_members(self, principal: Principal, account_ids: Mapping[str, str]) -> None:
        """Raise `Invalid` naming each place with an account that may not enter the organization of the principal."""
        faults: dict[str, str] = {}
        members = {i: await self._is_admitted(i, principal.organization_id) for i in set(account_ids.values())}
        for place, account_id in account_ids.items():
            if not members[account_id]:
                faults[place] = f"there is no user {account_id} in this organization"
        if faults:
            words = "; ".join(f"{place}: {fault}" for place, fault in faults.items())
            raise Invalid("user_not_found", f"The role lists name users that are not there: {words}.", fields=faults)

    async def _is_admitted(self, account_id: str, organization_id: OrganizationId) -> bool:
        try:
            await self.admit(account_id, organization_id)
        except NotFound:
            return False
        return await self._accounts.account(account_id) is not None

    async def account(self, principal: Principal) -> Account:
        """The account of a principal."""
        found = await self._accounts.account(principal.account_id)
        if found is None:
            raise _gone()
        return found

    async def organization(self, principal: Principal) -> Organization:
        """The organization a principal is in."""
        found = await self._accounts.organization(principal.organization_id)
        if found is None:
            raise _unknown()
        return found

    async def grant(self, principal: Principal, grant_id: str) -> Grant:
        """A grant of the organization a principal is in. Raises `NotFound`."""
        found = await self._accounts.grants.get(principal.organization_id, grant_id)
        if found is None:
            raise NotFound("grant_not_found", "There is no such grant in this organization.")
        return found

    async def _upwards(self, organization_id: str) -> list[Organization]:
        chain: list[Organization] = []
        sought: str | None = organization_id
        # Bounded: a circle of parents in the database must not hang the gateway.
        while sought and len(chain) < _DEEPEST:
            found = await self._accounts.organization(sought)
            if found is None:
                break
            chain.append(found)
            sought = found.parent_id
        return chain


def _gone() -> Unauthorized:
    return Unauthorized("token_invalid", "The account, API key or membership of this badge is gone.")


def _unknown() -> NotFound:
    return NotFound("organization_not_found", "There is no such organization, or you are not a member of it.")
