"""Logins in the audit log. Who came in is written down at once, refusals in sums, as anybody can cause any number."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from chassis.ids import utc_now
from chassis.persistence.mongo import PyMongoError
from chassis.runtime.supervision import LoopSupervisor
from contracts.errors import CairnError
from contracts.values import OrganizationId, to_text
from pydantic import JsonValue

from gateway.access.accounts import Account
from gateway.access.store import ROOT, Accounts
from gateway.audit_log.entries import LOG_IN, NOBODY, Actor, AuditEntry, Subject, Via
from gateway.audit_log.log import AuditLog

log = logging.getLogger(__name__)
FLUSH_SECONDS = 2.0
_SUMS_AT_ONCE = 1000
# Anybody can cause refusals, and each would grow the log: so many entries at once, then so many an hour, and sums
# that go on growing meanwhile.
_BURST, _AN_HOUR = 60, 240
_MANY = "many"


class Attempt(NamedTuple):
    """A try to log in. `account`: the one that is meant, when it is known."""

    account: Account | None
    via: Via
    address: str


class _Kind(NamedTuple):
    """Refusals that are counted together. `organization_id` None: that of the installation."""

    organization_id: OrganizationId | None
    account_id: str
    action: str
    via: Via
    address: str
    code: str


@dataclass
class _Sum:
    count: int = 0
    first_at: datetime = field(default_factory=utc_now)
    latest_at: datetime = field(default_factory=utc_now)


class LoginLog:
    """Writes logins down. Names that nobody has are not kept: a password may have been typed in their place."""

    def __init__(self, audit: AuditLog, accounts: Accounts, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._audit = audit
        self._accounts = accounts
        self._clock = clock
        self._sums: dict[_Kind, _Sum] = {}
        self._left, self._filled_at = float(_BURST), clock()

    async def logged_in(self, attempt: Attempt, org: OrganizationId, *, action: str = LOG_IN) -> None:
        """Write down that somebody is let in. Raises `Unavailable` (`audit_unavailable`): then nobody is."""
        account_id = attempt.account.id if attempt.account else NOBODY
        await self._audit.record(_audit_entry(org, account_id, action, attempt.via, {"address": attempt.address}))

    def refused(self, attempt: Attempt, code: str, *, action: str = LOG_IN) -> None:
        """Count a refusal; it is written down within seconds."""
        account = attempt.account
        kind = _Kind(
            account.home_id if account else None,
            account.id if account else NOBODY,
            action,
            attempt.via,
            attempt.address,
            code,
        )
        if kind not in self._sums and len(self._sums) >= _SUMS_AT_ONCE:
            # Too many kinds at once: the rest is counted as one, or a flood of addresses would fill the memory.
            kind = kind._replace(organization_id=None, account_id=NOBODY, address=_MANY)
        total = self._sums.setdefault(kind, _Sum())
        total.count += 1
        total.latest_at = utc_now()

    @asynccontextmanager
    async def running(self, background: LoopSupervisor) -> AsyncIterator["LoginLog"]:
        """Write sums now and then, and what is left at the end."""
        try:
            async with background.running("refused logins", self._flush_forever):
                yield self
        finally:
            await self._flush_or_tell()

    async def flush(self) -> None:
        """Write as many sums as may be written now; the others go on growing."""
        self._refill()
        while self._sums and self._left >= 1:
            kind = next(iter(self._sums))
            total = self._sums.pop(kind)
            self._left -= 1
            try:
                await self._write(kind, total)
            except BaseException:
                # Also on a cancellation: the last flush, when the process stops, writes what is left.
                self._restore(kind, total)
                raise

    async def _write(self, kind: _Kind, total: _Sum) -> None:
        org = kind.organization_id or await self._installation()
        # Before the first start is complete there is no organization to write it for.
        if org is None:
            return
        details: dict[str, JsonValue] = {
            "address": kind.address,
            "count": total.count,
            "first_at": to_text(total.first_at),
            "latest_at": to_text(total.latest_at),
        }
        await self._audit.record(_audit_entry(org, kind.account_id, kind.action, kind.via, details), code=kind.code)
        log.info("logins refused", extra={"code": kind.code, "count": total.count})

    def _restore(self, kind: _Kind, total: _Sum) -> None:
        # More may have been counted while this sum was being written.
        later = self._sums.get(kind)
        if later is not None:
            total.count, total.latest_at = total.count + later.count, later.latest_at
        self._sums[kind] = total
        self._left += 1

    def _refill(self) -> None:
        now = self._clock()
        self._left = min(_BURST, self._left + (now - self._filled_at) * _AN_HOUR / 3600)
        self._filled_at = now

    async def _installation(self) -> OrganizationId | None:
        roots = await self._accounts.children(ROOT)
        return roots[0].id if roots else None

    async def _flush_forever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self._flush_or_tell()

    async def _flush_or_tell(self) -> None:
        try:
            await self.flush()
        except (CairnError, PyMongoError) as error:
            log.warning("refused logins not written down yet", extra={"reason": type(error).__name__})


def _audit_entry(
    org: OrganizationId, account_id: str, action: str, via: Via, details: Mapping[str, JsonValue]
) -> AuditEntry:
    return AuditEntry(
        organization_id=org,
        actor=Actor(account_id=account_id, via=via),
        action=action,
        subject=Subject(kind="account", id=account_id),
        details=dict(details),
    )
