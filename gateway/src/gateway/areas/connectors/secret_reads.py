"""Who read which secrets: written down before they are handed out."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from contracts.field_values import FieldValue
from contracts.messages.assignment import App
from contracts.messages.bundles import Bundle
from contracts.messages.catalog import Inventory

from gateway.access.principal import Principal
from gateway.audit_log.entries import READ_SECRETS, Actor, AuditEntry, Subject
from gateway.audit_log.log import AuditLog

# One entry stands for all that a caller reads of a connector, as it is then, for so long: a page that refreshes
# itself would else write an entry every few seconds.
WINDOW_SECONDS = 600.0
_HOLDERS_AN_ENTRY = 100
_REMEMBERED = 100_000
Place = Literal["organization", "connector"]


@dataclass(frozen=True)
class _Holder:
    """What has fields: a connector, a bundle or an inventory."""

    id: str
    revision: int
    fields: Mapping[str, FieldValue]


class SecretReads:
    """Writes reads of secrets to the audit log, each connector, bundle or inventory and caller once in a window."""

    def __init__(self, audit: AuditLog, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._audit = audit
        self._clock = clock
        self._written: OrderedDict[tuple[str, ...], float] = OrderedDict()

    async def note(self, who: Principal, apps: Sequence[App], *, of: Place) -> None:
        """Write down that a caller is about to read the secrets of these apps.

        `of`: what was asked for. Raises `Unavailable` (`audit_unavailable`): then they must not be handed out.
        """
        holders = [_Holder(app.id, app.revision, app.fields) for app in apps]
        for some in self._unread(who, holders):
            subject = Subject(kind=of, id=some[0].id if of == "connector" else who.organization_id)
            await self._write(who, some, subject, called="connectors")

    async def note_inventory(self, who: Principal, inventory: Inventory) -> None:
        """Write down that a caller is about to read the secrets of an inventory; as `note`."""
        holder = _Holder(inventory.id, inventory.revision, inventory.configuration)
        for some in self._unread(who, [holder]):
            await self._write(who, some, Subject(kind="inventory", id=inventory.id), called="inventories")

    async def note_bundles(self, who: Principal, bundles: Sequence[Bundle], *, is_listing: bool) -> None:
        """Write down that a caller is about to read the secrets of bundles; as `note`."""
        holders = [_Holder(bundle.id, bundle.revision, bundle.fields) for bundle in bundles]
        for some in self._unread(who, holders):
            subject = (
                Subject(kind="organization", id=who.organization_id)
                if is_listing
                else Subject(kind="bundle", id=some[0].id)
            )
            await self._write(who, some, subject, called="bundles")

    def _unread(self, who: Principal, holders: Sequence[_Holder]) -> Iterator[Sequence[_Holder]]:
        """Those whose secrets the caller has not read in this window, for one entry each."""
        return _cut([each for each in holders if _holds_secrets(each) and self._is_news(who, each)])

    async def _write(self, who: Principal, holders: Sequence[_Holder], subject: Subject, *, called: str) -> None:
        entry = AuditEntry(
            organization_id=who.organization_id,
            actor=Actor(account_id=who.account_id, via="badge"),
            action=READ_SECRETS,
            subject=subject,
            details={called: [each.id for each in holders], "window_seconds": int(WINDOW_SECONDS)},
        )
        await self._audit.record(entry)
        self._remember(who, holders)

    def _is_news(self, who: Principal, holder: _Holder) -> bool:
        written = self._written.get(_read(who, holder))
        return written is None or self._clock() - written >= WINDOW_SECONDS

    def _remember(self, who: Principal, holders: Sequence[_Holder]) -> None:
        for each in holders:
            self._written[_read(who, each)] = self._clock()
            self._written.move_to_end(_read(who, each))
        while len(self._written) > _REMEMBERED:
            self._written.popitem(last=False)


def _read(who: Principal, holder: _Holder) -> tuple[str, ...]:
    # With the revision: a secret that was changed since is another one, and reading it is news.
    return who.organization_id, who.account_id, who.key_id or "", holder.id, str(holder.revision)


def _holds_secrets(holder: _Holder) -> bool:
    return any(value.sealed is not None for value in holder.fields.values())


def _cut(holders: Sequence[_Holder]) -> Iterator[Sequence[_Holder]]:
    for start in range(0, len(holders), _HOLDERS_AN_ENTRY):
        yield holders[start : start + _HOLDERS_AN_ENTRY]
