"""Logging in: from an API key or a password to a badge."""

import hashlib
import logging
from dataclasses import dataclass

from chassis.errors import Unauthorized
from chassis.telemetry import span
from chassis.tokens import Caller, Tokens
from contracts.values import OrganizationId

from gateway.store.accounts import Accounts
from gateway.usecases.passwords import LoginBrake
from gateway.usecases.visitors import Visitor, Visitors

log = logging.getLogger(__name__)
API_KEY_PREFIX = "pcp_ak_"


def digest_of(api_key: str) -> str:
    """What is kept of an API key. Its 256 random bits need no slow hash."""
    return hashlib.sha256(api_key.encode()).hexdigest()


@dataclass(frozen=True)
class Logins:
    """Hands out badges."""

    accounts: Accounts
    visitors: Visitors
    badges: Tokens
    brake: LoginBrake
    badge_ttl_seconds: int

    async def by_api_key(self, api_key: str) -> str:
        """A badge for the key's organization. Raises `Unauthorized` when the key is unknown."""
        with span("gateway.log_in"):
            key = await self.accounts.api_key(digest_of(api_key))
            account = await self.accounts.account(key.account_id) if key else None
            if key is None or account is None:
                raise Unauthorized("login_failed", "This API key is unknown.")
            return self._badge(account.id, key.organization_id)

    async def by_password(self, email: str, password: str) -> str:
        """A badge for the home organization of the account.

        Raises `Unauthorized` for an unknown address and for a wrong password alike, after the same time.
        """
        with span("gateway.log_in"):
            name = email.strip().lower()
            async with self.brake.attempt(name) as attempts:
                account = await self.accounts.account_by_email(name)
                matches = await self.brake.verify(password, account.password_hash if account else None)
                if account is None or not matches:
                    attempts.failures += 1
                    log.info("login refused", extra={"failures": attempts.failures})
                    raise Unauthorized("login_failed", "Email or password are wrong.")
                attempts.failures = 0
            return self._badge(account.id, account.home_id)

    async def exchange(self, visitor: Visitor, organization_id: str) -> str:
        """A badge of the same account for another organization. Raises `NotFound` when it may not go there."""
        with span("gateway.exchange_badge"):
            return self._badge(visitor.account_id, await self.visitors.admit(visitor.account_id, organization_id))

    def _badge(self, account_id: str, organization_id: OrganizationId) -> str:
        caller = Caller(organization_id=organization_id, account_id=account_id)
        return self.badges.sign(caller, ttl_seconds=self.badge_ttl_seconds)
