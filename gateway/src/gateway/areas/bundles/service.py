"""Bundles: values for the fields of many connectors. Their secrets are sealed before they leave the gateway."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from chassis.messaging.command_client import Commands
from chassis.telemetry.tracing import span
from contracts.messages.bundles import Bundle, BundleDescription, ChangeBundle, CreateBundle, RemoveBundle
from contracts.queries.bundles import BundleQuestion
from contracts.values import BundleId, IntegrationId, InventoryId

from gateway.access.principal import Principal
from gateway.access.rights import Right
from gateway.areas.connectors.field_encryption import FieldEncryption
from gateway.areas.connectors.preconditions import GivenField, check_providers
from gateway.areas.connectors.revisions import ExpectedRevision
from gateway.areas.connectors.secret_reads import SecretReads
from gateway.clients.bundles import BundleClient
from gateway.clients.catalog import CatalogClient
from gateway.idempotency.intents import Intent


@dataclass(frozen=True)
class BundleRequest:
    """What a client says about a bundle."""

    name: str
    environment: str = ""
    resource_classes: tuple[str, ...] = ()
    resource_subclasses: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    integration_id: str | None = None
    fields: Mapping[str, GivenField] = field(default_factory=dict)


@dataclass(frozen=True)
class ReadBundle:
    """A bundle with its fields as its client reads them."""

    bundle: Bundle
    fields: Mapping[str, GivenField]


@dataclass(frozen=True)
class ReadBundles:
    """A page of bundles."""

    total: int
    items: Sequence[ReadBundle]


@dataclass(frozen=True)
class Bundles:
    """What can be done with bundles: those of an inventory, and, where none is named, those of the organization."""

    catalog: CatalogClient
    bundles: BundleClient
    commands: Commands
    encryption: FieldEncryption
    secret_reads: SecretReads

    async def list(self, who: Principal, question: BundleQuestion) -> ReadBundles:
        """A page of bundles; see `read`."""
        await self._require_inventory(who, question.inventory_id)
        found = await self.bundles.bundles(who, question)
        return ReadBundles(found.total, await self._shown(who, found.items, is_listing=True))

    async def read(self, who: Principal, bundle_id: str, *, inventory_id: str | None) -> ReadBundle:
        """One bundle. Its secrets are in clear for who may see them, which is written down before; else masked."""
        found = await self.bundles.bundle(who, bundle_id, inventory_id=inventory_id)
        [shown] = await self._shown(who, [found], is_listing=False)
        return shown

    async def create(
        self, who: Principal, asked: BundleRequest, intent: Intent, *, inventory_id: str | None
    ) -> ReadBundle:
        """Create a bundle. A repeated intent changes nothing and brings the same bundle."""
        bundle_id = BundleId(intent.id_for("bundle"))
        with span("gateway.create_bundle"):
            await self._require_inventory(who, inventory_id)
            command = CreateBundle(
                organization_id=who.organization_id,
                bundle_id=bundle_id,
                inventory_id=InventoryId(inventory_id) if inventory_id else None,
                description=await self._describe(who, bundle_id, asked),
            )
            await self.commands.carry_out(command, **intent.ids)
            return await self.read(who, bundle_id, inventory_id=inventory_id)

    async def change(
        self,
        who: Principal,
        bundle_id: str,
        asked: BundleRequest,
        intent: Intent,
        *,
        inventory_id: str | None,
        expected: ExpectedRevision,
    ) -> ReadBundle:
        """Replace what is said about a bundle. Raises `PreconditionFailed` where it is in another revision."""
        with span("gateway.change_bundle"):
            current = await self.bundles.bundle(who, bundle_id, inventory_id=inventory_id)
            command = ChangeBundle(
                organization_id=who.organization_id,
                bundle_id=current.id,
                description=await self._describe(who, current.id, self._with_known(who, asked, current)),
                expected_revision=expected.of(current),
            )
            await self.commands.carry_out(command, **intent.ids)
            return await self.read(who, bundle_id, inventory_id=inventory_id)

    async def remove(
        self, who: Principal, bundle_id: str, intent: Intent, *, inventory_id: str | None, expected: ExpectedRevision
    ) -> None:
        """Remove a bundle. Raises `PreconditionFailed` where it is in another revision."""
        with span("gateway.remove_bundle"):
            current = await self.bundles.find(who, bundle_id, inventory_id=inventory_id)
            command = RemoveBundle(
                organization_id=who.organization_id,
                bundle_id=BundleId(bundle_id),
                # Where there is none, the command says so, or that this very request removed it before.
                expected_revision=expected.of(current) if current else None,
            )
            await self.commands.carry_out(command, **intent.ids)

    async def _shown(self, who: Principal, found: Sequence[Bundle], *, is_listing: bool) -> Sequence[ReadBundle]:
        masked = not who.may(Right.SECRETS)
        if not masked:
            # First: what cannot be written down is not handed out (0006).
            await self.secret_reads.note_bundles(who, found, is_listing=is_listing)
        org = who.organization_id
        return [ReadBundle(each, self.encryption.open_of(org, each.id, each.fields, masked=masked)) for each in found]

    async def _require_inventory(self, who: Principal, inventory_id: str | None) -> None:
        if inventory_id is not None:
            await self.catalog.inventory(who, inventory_id)

    def _with_known(self, who: Principal, asked: BundleRequest, current: Bundle) -> BundleRequest:
        """The request, with secrets that are sent back as they are kept standing for just that."""
        # Sealed anew, they would count as changed, and every connector that has them would be, too. Compared only for
        # those who may read them: for others it would be a way to guess.
        if not who.may(Right.SECRETS):
            return asked
        kept = {name: value for name, value in current.fields.items() if value.sealed is not None}
        known = self.encryption.open_of(who.organization_id, current.id, kept)
        same = {name: GivenField("", masked=True) for name, given in asked.fields.items() if known.get(name) == given}
        return replace(asked, fields={**asked.fields, **same})

    async def _describe(self, who: Principal, bundle_id: BundleId, asked: BundleRequest) -> BundleDescription:
        check_providers(asked.fields)
        clear = await self.bundles.clear_fields(who, asked.integration_id)
        return BundleDescription(
            name=asked.name,
            environment=asked.environment,
            resource_classes=asked.resource_classes,
            resource_subclasses=asked.resource_subclasses,
            tags=asked.tags,
            integration_id=IntegrationId(asked.integration_id) if asked.integration_id else None,
            fields=await self.encryption.seal(who.organization_id, bundle_id, asked.fields, clear=clear),
        )
