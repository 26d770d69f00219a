"""Secrets of connectors and inventories: sealed on their way, and opened only for those who may read them."""

from collections.abc import Mapping
from contextlib import suppress

from chassis.errors import LostRace
from chassis.persistence.aggregates import Aggregates
from chassis.security.sealing import Place, Sealer
from contracts.errors import PermanentError
from contracts.field_values import FieldValue, SealedValue
from contracts.messages.assignment import App
from contracts.values import OrganizationId

from gateway.access.accounts import DataKey
from gateway.access.bootstrap import new_data_key
from gateway.areas.connectors.preconditions import GivenField


class FieldEncryption:
    """Seals and opens fields with the data key of their organization."""

    def __init__(self, sealer: Sealer, data_keys: Aggregates[DataKey]) -> None:
        self._sealer = sealer
        self._data_keys = data_keys
        self._known: dict[OrganizationId, DataKey] = {}

    async def seal(
        self,
        org: OrganizationId,
        owner: str,
        fields: Mapping[str, GivenField],
        *,
        clear: frozenset[str],
        known: Mapping[str, FieldValue] | None = None,
    ) -> dict[str, FieldValue]:
        """Fields as they travel: those in `clear` and references into secret providers as they are, others sealed.

        `owner`: id of what they belong to. Of what a client sends back masked travels that it should stay. `known`:
        what is kept, for a caller who may read it; a secret that says the same travels as it is kept, and is no change.
        """
        data_key, kept = await self._data_key(org), known or {}

        def sealed(name: str, given: GivenField) -> FieldValue:
            # The service that keeps them puts in what it holds by then; what could be read here may be changed before
            # the command arrives (0006).
            if given.masked:
                return FieldValue(keep=True)
            # Sealed, an empty value would count as present, and a connector without it as complete (0028).
            if given.provider_id or name in clear or not given.value:
                return FieldValue(value=given.value, provider_id=given.provider_id)
            place = Place(organization_id=org, owner=owner, field=name)
            if (same := self._same(kept.get(name), given.value, place)) is not None:
                return FieldValue(sealed=same)
            return FieldValue(sealed=self._sealer.seal(given.value, data_key=data_key, place=place))

        return {name: sealed(name, given) for name, given in fields.items()}

    def _same(self, kept: FieldValue | None, secret: str, place: Place) -> SealedValue | None:
        """What is kept, where it is that secret, sealed for this place by the key of now."""
        # Sealed by a former key it would bring that back, after everything was counted to be rid of it (0062).
        if kept is None or kept.sealed is None or kept.bundle_id or kept.sealed.key_id != self.current_key:
            return None
        with suppress(PermanentError):
            if self._sealer.open(kept.sealed, place=place) == secret:
                return kept.sealed
        return None

    @property
    def current_key(self) -> str:
        """The id of the master key under which everything is to be."""
        return self._sealer.keyring.current.id

    async def renew_data_key(self, org: OrganizationId) -> None:
        """Have an organization's data key under a master key that stays. Raises `data_key_unreadable`."""
        await self._data_key(org)

    async def resealed(
        self, org: OrganizationId, owner: str, name: str, sealed: SealedValue, *, instead: SealedValue | None = None
    ) -> SealedValue:
        """The same secret under the key of now; `instead`, where that says the same and is under it already.

        Raises `PermanentError` `secret_unreadable`.
        """
        place = Place(organization_id=org, owner=owner, field=name)
        secret = self._sealer.open(sealed, place=place)
        if instead is not None and instead.key_id == self.current_key:
            with suppress(PermanentError):
                if self._sealer.open(instead, place=place) == secret:
                    return instead
        return self._sealer.seal(secret, data_key=await self._data_key(org), place=place)

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
        # For as long as its master key seals: the data key of an organization changes with that alone.
        known = self._known.get(org)
        if known is None or not self._sealer.keyring.may_seal(known.key_id):
            known = self._known[org] = await self._find_or_make(org)
        return known.sealed

    async def _find_or_make(self, org: OrganizationId) -> DataKey:
        aggregate = await self._data_keys.load(org, org)
        found = self._named(aggregate.value) if aggregate.value else None
        if found is not None and self._sealer.keyring.may_seal(found.key_id):
            return found
        # Another key, not the same one sealed anew: whoever has a former master key and an old copy of the database
        # has all data keys of then, and must not open with them what is sealed from now on.
        made = new_data_key(self._sealer, org)
        try:
            await self._data_keys.save(aggregate, made)
        # Another gateway saved a key at the same moment: there is one at a time, so that all are found by it.
        except LostRace:
            return await self._find_or_make(org)
        return made

    def _named(self, kept: DataKey) -> DataKey:
        """A data key with the id of the master key that sealed it. Raises `data_key_unreadable` for one of no key."""
        master = self._sealer.key_of(kept.sealed, kept.organization_id)
        if master is None:
            # Replaced, it would hide that this process has the wrong master key, or not yet the right one.
            detail = "The organization's data key was sealed by a master key that is not known here."
            raise PermanentError("data_key_unreadable", detail)
        return kept.model_copy(update={"key_id": master})
