"""Logging in: from an API key or a password to a badge."""

from dataclasses import dataclass

from chassis.http.tokens import Caller, Tokens
from chassis.ids import utc_now
from chassis.telemetry.tracing import span
from contracts.errors import NotFound, Throttled, Unauthorized
from contracts.values import OrganizationId

from gateway.access.accounts import Account
from gateway.access.api_keys import digest_of
from gateway.access.principal import Principal
from gateway.access.principals import Principals
from gateway.access.store import Accounts
from gateway.areas.auth.known_addresses import KnownAddresses
from gateway.areas.auth.login_log import Attempt, LoginLog
from gateway.areas.auth.throttle import Throttle
from gateway.areas.auth.throttle_rules import network_of
from gateway.audit_log.entries import CHANGE_ORGANIZATION


@dataclass(frozen=True)
class Logins:
    """Hands out badges. Each login, refused ones too, stands in the audit log with its address."""

    accounts: Accounts
    principals: Principals
    badges: Tokens
    throttle: Throttle
    known: KnownAddresses
    log: LoginLog
    session_token_ttl_seconds: int

    async def by_api_key(self, api_key: str, *, address: str) -> str:
        """A badge for the key's organization, which stands as long as the key does.

        Raises `Unauthorized` when the key is unknown, or its account no member of the organization any more.
        """
        with span("gateway.log_in"):
            key = await self.accounts.api_key(digest_of(api_key))
            account = await self.accounts.account(key.account_id) if key else None
            attempt = Attempt(account, "api-key", address)
            if key is None or account is None or not await self._is_member(account, key.organization_id):
                self.log.refused(attempt, "login_failed")
                # The same for a key without an account or membership: nobody learns that a key was right once.
                raise Unauthorized("login_failed", "This API key is unknown.")
            await self._logged_in(attempt, account, key.organization_id)
            return self._badge(account.id, key.organization_id, key_id=key.id)

    async def by_password(self, email: str, password: str, *, address: str) -> str:
        """A badge for the home organization of the account.

        Raises `Unauthorized` for an unknown address and for a wrong password alike, after the same time, and
        `Throttled` (`too_many_attempts`).
        """
        with span("gateway.log_in"):
            name, place = email.strip().lower(), network_of(address)
            account = await self.accounts.account_by_email(name)
            attempt = Attempt(account, "password", address)
            known = await self.known.knows(name, place)
            kept = account.password_hash if account else None
            try:
                matches = await self.throttle.check(password, kept, name=name, address=place, known=known)
            except Throttled as error:
                self.log.refused(attempt, error.code)
                raise
            # One answer for both, so that nobody learns which addresses have accounts.
            if account is None or not matches:
                self.log.refused(attempt, "login_failed")
                raise Unauthorized("login_failed", "Email or password are wrong.")
            await self._logged_in(attempt, account, account.home_id)
            return self._badge(account.id, account.home_id)

    async def exchange(self, who: Principal, organization_id: str, *, address: str) -> str:
        """A badge of the same account for another organization. Raises `NotFound` when it may not go there."""
        with span("gateway.exchange_badge"):
            account = await self.principals.account(who)
            attempt = Attempt(account, "badge", address)
            try:
                org = await self.principals.admit(who.account_id, organization_id)
            except NotFound as error:
                self.log.refused(attempt, error.code, action=CHANGE_ORGANIZATION)
                raise
            await self.log.logged_in(attempt, org, action=CHANGE_ORGANIZATION)
            # With the key that the first badge came from: this one must not outlive it (0027).
            return self._badge(who.account_id, org, key_id=who.key_id)

    async def _is_member(self, account: Account, org: OrganizationId) -> bool:
        try:
            await self.principals.admit(account.id, org)
        except NotFound:
            return False
        return True

    async def _logged_in(self, attempt: Attempt, account: Account, org: OrganizationId) -> None:
        await self.log.logged_in(attempt, org)
        await self.known.remember(account.email, network_of(attempt.address), utc_now())

    def _badge(self, account_id: str, organization_id: OrganizationId, *, key_id: str | None = None) -> str:
        caller = Caller(organization_id=organization_id, account_id=account_id, key_id=key_id)
        return self.badges.sign(caller, ttl_seconds=self.session_token_ttl_seconds)
