"""Who read which secrets: written down before they are handed out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from contracts.field_values import FieldValue
from contracts.messages.assignment import App
from contracts.messages.bundles import Bundle
from contracts.messages.catalog import Inventory

from gateway.access.principal import Principal
from gateway.audit_log.entries import READ_SECRETS, Actor, AuditEntry, Subject
from gateway.audit_log.log import AuditLog

_HOLDERS_AN_ENTRY = 100
Place = Literal["organization", "connector"]


@dataclass(frozen=True)
class _Holder:
    """What has fields: a connector, a bundle or an inventory."""

    id: str
    fields: Mapping[str, FieldValue]


@dataclass(frozen=True)
class SecretReads:
    """Writes each read of secrets to the audit log. What holds no secrets is read without an entry.

    All raise `Unavailable` (`audit_unavailable`): then the secrets must not be handed out.
    """

    audit: AuditLog

    async def note(self, who: Principal, apps: Sequence[App], *, of: Place) -> None:
        """Write down that a caller is about to read the secrets of these apps. `of`: what was asked for."""
        for some in _cut([_Holder(app.id, app.fields) for app in apps]):
            subject = Subject(kind=of, id=some[0].id if of == "connector" else who.organization_id)
            await self._write(who, some, subject, called="connectors")

    async def note_inventory(self, who: Principal, inventory: Inventory) -> None:
        """Write down that a caller is about to read the secrets of an inventory."""
        for some in _cut([_Holder(inventory.id, inventory.configuration)]):
            await self._write(who, some, Subject(kind="inventory", id=inventory.id), called="inventories")

    async def note_bundles(self, who: Principal, bundles: Sequence[Bundle], *, is_listing: bool) -> None:
        """Write down that a caller is about to read the secrets of bundles."""
        for some in _cut([_Holder(bundle.id, bundle.fields) for bundle in bundles]):
            subject = (
                Subject(kind="organization", id=who.organization_id)
                if is_listing
                else Subject(kind="bundle", id=some[0].id)
            )
            await self._write(who, some, subject, called="bundles")

    async def _write(self, who: Principal, holders: Sequence[_Holder], subject: Subject, *, called: str) -> None:
        entry = AuditEntry(
            organization_id=who.organization_id,
            actor=Actor(account_id=who.account_id, via="badge"),
            action=READ_SECRETS,
            subject=subject,
            details={called: [each.id for each in holders]},
        )
        await self.audit.record(entry)


def _cut(holders: Sequence[_Holder]) -> Iterator[Sequence[_Holder]]:
    """Those that hold secrets, for one entry each."""
    secret = [each for each in holders if any(value.sealed is not None for value in each.fields.values())]
    for start in range(0, len(secret), _HOLDERS_AN_ENTRY):
        yield secret[start : start + _HOLDERS_AN_ENTRY]
