"""Has owners take what is sealed under other master keys under the current one."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from chassis.messaging.command_client import Commands, StillRunning
from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.errors import NotFound, PermanentError
from contracts.field_values import SealedValue
from contracts.messages.base import Command
from contracts.messages.resealing import ResealApp, ResealBundle, Resealed, ResealInventory
from contracts.queries.sealing import SealedField, SealedOwner, SealedQuestion
from contracts.values import AppId, BundleId, InventoryId, OrganizationId

from gateway.areas.connectors.field_encryption import FieldEncryption
from gateway.audit_log.entries import NOBODY, RESEAL_SECRETS, Actor, AuditEntry, Subject
from gateway.audit_log.log import AuditLog
from gateway.clients.bundles import BundleClient
from gateway.clients.sealing import SealingClient

log = logging.getLogger(__name__)
AT_ONCE = 8
Note = Callable[[OrganizationId, str], Awaitable[None]]
"""Writes down that the secrets of an organization are about to be taken under a key."""
Tell = Callable[[int], None]
"""Hears how many values took the places of others."""


@dataclass(frozen=True)
class Unreadable:
    """A value that no key opens, or that was moved: nobody can take it under another key."""

    kind: str
    id: str
    field: str
    key_id: str


@dataclass
class Resealing:
    """Reseals organizations one after the other. Interrupted, it is begun again and finds what is left."""

    sealing: SealingClient
    bundles: BundleClient
    commands: Commands
    encryption: FieldEncryption
    note: Note
    unreadable: set[Unreadable] = field(default_factory=set)
    noted: set[tuple[OrganizationId, str]] = field(default_factory=set)

    async def reseal(self, org: OrganizationId, tell: Tell) -> None:
        """Have all secrets of an organization under the current key, but those that nobody can open."""
        with span("gateway.reseal", attributes={semconv.ORGANIZATION: org}):
            await self.encryption.renew_data_key(org)
            for owner in self.sealing.owners:
                await self._reseal_of(owner, org, tell)

    async def _reseal_of(self, service: str, org: OrganizationId, tell: Tell) -> None:
        settled = set[str]()
        while True:
            key_id = self.encryption.current_key
            found = await self.sealing.sealed(service, org, SealedQuestion(key_id=key_id, limit=1000))
            # Each once: what cannot be opened stays, and what was changed meanwhile is found in the next round.
            owners = [owner for owner in found.owners if _version(owner) not in settled]
            if not owners:
                return
            settled |= {_version(owner) for owner in owners}
            await self._note(org, key_id)
            # Bundles before apps: an app gets what came from a bundle as the bundle has it by then.
            for kind in ("bundle", "connector", "inventory"):
                await self._all(org, [owner for owner in owners if owner.kind == kind], tell)

    async def _note(self, org: OrganizationId, key_id: str) -> None:
        # First: what cannot be written down is not opened (0006). Once for all rounds.
        if (org, key_id) not in self.noted:
            await self.note(org, key_id)
            self.noted.add((org, key_id))

    async def _all(self, org: OrganizationId, owners: Sequence[SealedOwner], tell: Tell) -> None:
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(owner: SealedOwner) -> None:
            async with slots:
                tell(await self._one(org, owner))

        # All have ended when an error is raised: none of them goes on while the next attempt begins.
        for outcome in await asyncio.gather(*map(one, owners), return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _one(self, org: OrganizationId, owner: SealedOwner) -> int:
        resealed = [each for field_ in owner.fields if (each := await self._field(org, owner, field_))]
        if not resealed:
            return 0
        try:
            result = await self.commands.carry_out(_command(org, owner, tuple(resealed)))
        except (NotFound, StillRunning):
            # Removed since; or late, and then it is found resealed, or once more.
            return 0
        replaced = result.get("replaced")
        return replaced if isinstance(replaced, int) else 0

    async def _field(self, org: OrganizationId, owner: SealedOwner, each: SealedField) -> Resealed | None:
        try:
            theirs = await self._of_bundle(org, each) if each.sealed_for != owner.id else None
            sealed = await self.encryption.resealed(org, each.sealed_for, each.field, each.sealed, instead=theirs)
        except PermanentError:
            self.unreadable.add(Unreadable(owner.kind, owner.id, each.field, each.sealed.key_id))
            log.warning(
                "secret cannot be resealed",
                extra={"organization_id": org, "kind": owner.kind, "id": owner.id, "field": each.field},
            )
            return None
        return Resealed(field=each.field, nonce=each.sealed.nonce, sealed=sealed)

    async def _of_bundle(self, org: OrganizationId, each: SealedField) -> SealedValue | None:
        """What the bundle that a value came from has now."""
        bundle = await self.bundles.kept(org, each.sealed_for)
        value = bundle.fields.get(each.field) if bundle else None
        return value.sealed if value else None


async def note_resealing(audit: AuditLog, org: OrganizationId, key_id: str) -> None:
    """Write down that whoever runs Cairn has the secrets of an organization taken under a key.

    Raises `Unavailable` (`audit_unavailable`): then they must not be opened.
    """
    entry = AuditEntry(
        organization_id=org,
        actor=Actor(account_id=NOBODY, via="command"),
        action=RESEAL_SECRETS,
        subject=Subject(kind="organization", id=org),
        details={"key_id": key_id},
    )
    await audit.record(entry)


def _version(owner: SealedOwner) -> str:
    return " ".join((owner.kind, owner.id, *(each.sealed.nonce for each in owner.fields)))


def _command(org: OrganizationId, owner: SealedOwner, resealed: tuple[Resealed, ...]) -> Command:
    if owner.kind == "bundle":
        return ResealBundle(organization_id=org, bundle_id=BundleId(owner.id), resealed=resealed)
    if owner.kind == "inventory":
        return ResealInventory(organization_id=org, inventory_id=InventoryId(owner.id), resealed=resealed)
    return ResealApp(organization_id=org, app_id=AppId(owner.id), resealed=resealed)
