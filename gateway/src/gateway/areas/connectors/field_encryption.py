"""Secrets of connectors and inventories: sealed on their way, and opened only for those who may read them."""

from collections.abc import Mapping

from chassis.errors import LostRace
from chassis.persistence.aggregates import Aggregates
from chassis.security.sealing import Place, Sealer
from contracts.field_values import FieldValue
from contracts.messages.assignment import App
from contracts.values import OrganizationId

from gateway.access.accounts import DataKey
from gateway.areas.connectors.preconditions import GivenField


class FieldEncryption:
    """Seals and opens fields with the data key of their organization."""

    def __init__(self, sealer: Sealer, data_keys: Aggregates[DataKey]) -> None:
        self._sealer = sealer
        self._data_keys = data_keys
        self._known: dict[OrganizationId, str] = {}

    async def seal(
        self, org: OrganizationId, owner: str, fields: Mapping[str, GivenField], *, clear: frozenset[str]
    ) -> dict[str, FieldValue]:
        """Fields as they travel: those in `clear` and references into secret providers as they are, others sealed.

        `owner`: id of what they belong to. Of what a client sends back masked travels that it should stay.
        """
        data_key = await self._data_key(org)

        def sealed(name: str, given: GivenField) -> FieldValue:
            # The service that keeps them puts in what it holds by then; what could be read here may be changed before
            # the command arrives (0006).
            if given.masked:
                return FieldValue(keep=True)
            # Sealed, an empty value would count as present, and a connector without it as complete (0028).
            if given.provider_id or name in clear or not given.value:
                return FieldValue(value=given.value, provider_id=given.provider_id)
            place = Place(organization_id=org, owner=owner, field=name)
            return FieldValue(sealed=self._sealer.seal(given.value, data_key=data_key, place=place))

        return {name: sealed(name, given) for name, given in fields.items()}

    def open(self, org: OrganizationId, app: App, *, masked: bool = False) -> dict[str, GivenField]:
        """Fields of an app; see `open_of`."""
        return self.open_of(org, app.id, app.fields, masked=masked)

    def open_of(
        self, org: OrganizationId, owner: str, fields: Mapping[str, FieldValue], *, masked: bool = False
    ) -> dict[str, GivenField]:
        """Fields as clients gave them, or with secrets `masked`.

        Raises `PermanentError` `secret_unreadable` under another master key.
        """
        return {name: self._open(org, owner, name, value, masked=masked) for name, value in fields.items()}

    def _open(self, org: OrganizationId, holder: str, name: str, value: FieldValue, *, masked: bool) -> GivenField:
        if value.sealed is None:
            return GivenField(value.value or "", value.provider_id)
        if masked:
            return GivenField("", masked=True)
        place = Place(organization_id=org, owner=value.owner(holder), field=name)
        return GivenField(self._sealer.open(value.sealed, place=place), value.provider_id)

    async def _data_key(self, org: OrganizationId) -> str:
        # For good: the data key of an organization never changes.
        if org not in self._known:
            self._known[org] = await self._find_or_make(org)
        return self._known[org]

    async def _find_or_make(self, org: OrganizationId) -> str:
        aggregate = await self._data_keys.load(org, org)
        if aggregate.value is None:
            made = DataKey(organization_id=org, sealed=self._sealer.new_data_key(org))
            try:
                await self._data_keys.save(aggregate, made)
            # Another gateway saved a key at the same moment: what this key seals could never be opened.
            except LostRace:
                return await self._find_or_make(org)
            return made.sealed
        return aggregate.value.sealed
