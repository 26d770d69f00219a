"""Which secrets a service keeps sealed, and under which keys."""

from pydantic import Field

from contracts.field_values import SealedValue
from contracts.values import Value


class SealedField(Value):
    """One sealed value."""

    field: str
    sealed_for: str = Field(description="Id of what it was sealed for")
    sealed: SealedValue


class SealedOwner(Value):
    """What keeps sealed values: an app, say."""

    kind: str
    id: str
    fields: tuple[SealedField, ...]


class KeyUse(Value):
    """How many sealed values of an organization refer to a master key."""

    key_id: str
    values: int


class KnownKeys(Value):
    """The master keys that a worker has, current first, and what it keeps sealed under which."""

    key_ids: tuple[str, ...]
    uses: tuple[KeyUse, ...] = ()
