"""Which secrets a service keeps sealed, and under which master keys."""

from typing import Literal

from pydantic import Field

from contracts.field_values import SealedValue
from contracts.values import Moment, Value

OwnerKind = Literal["connector", "bundle", "inventory"]


class SealedField(Value):
    """One sealed value."""

    field: str
    sealed_for: str = Field(description="Id of what it was sealed for: its owner, or the bundle that it came from")
    sealed: SealedValue


class SealedOwner(Value):
    """What keeps sealed values under keys that are given up."""

    kind: OwnerKind
    id: str
    fields: tuple[SealedField, ...]


class KeyUse(Value):
    """How many sealed values of an organization refer to a master key."""

    kind: str = Field(description="What holds them: connectors, bundles, inventories, copies of workers")
    key_id: str
    values: int


class SealedQuestion(Value):
    """Who keeps values sealed under other keys than this one?"""

    key_id: str = Field(description="The key that stays")
    limit: int = Field(default=100, ge=1, le=1000)


class SealedOwners(Value):
    """Some who do, and what is sealed under which key in all."""

    owners: tuple[SealedOwner, ...] = ()
    uses: tuple[KeyUse, ...] = ()


class KeyHolder(Value):
    """A running process, and the master keys it has."""

    id: str = Field(description="Of this run of the process")
    name: str = Field(description="Service, instance and pool")
    key_ids: tuple[str, ...] = Field(description="The current one first")
    sealing_since: Moment = Field(description="Since when it has its current key")
    at: Moment = Field(description="When it said so")
