"""What hangs on which master key."""

import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from chassis.security.keyring import Keyring
from chassis.security.sealing import Sealer
from contracts.envelope import Envelope
from contracts.messages.base import Message
from contracts.queries.sealing import KeyHolder, SealedOwners, SealedQuestion
from contracts.values import OrganizationId, Value
from contracts.wording import counted
from pydantic import Field, computed_field

from gateway.access.store import ROOT, Accounts
from gateway.areas.operations.store import OperationStore
from gateway.clients.sealing import COPIES, SealingClient

_KINDS = {"bundle": "bundles", "connector": "connectors", "inventory": "inventories"}
_DATA_KEYS, _KEPT_COMMANDS = "data keys", "kept commands"
_OTHERS = {
    COPIES: ("secret in what workers know of connectors", "secrets in what workers know of connectors"),
    _KEPT_COMMANDS: ("command that waits to be sent", "commands that wait to be sent"),
}
_KEY_ID = re.compile(r'"key_id":\s*"([0-9a-f]{16})"')
Uses = Counter[tuple[str, str]]
"""How many values of a kind hang on a key."""


class KeyStatus(Value):
    """A master key, and what hangs on it."""

    id: str
    role: str = Field(description="`current`, `next`, `former`; `unknown`: it is in no file that was read here")
    values: dict[str, int] = Field(description="By kind: data keys, connectors, bundles, ...; none without")

    @property
    def total(self) -> int:
        """How much hangs on it."""
        return sum(self.values.values())

    @computed_field(description="The same in words")  # type: ignore[prop-decorator]
    @property
    def words(self) -> str:
        """What hangs on it: `1 data key, 5 secrets of bundles, 8 of connectors`."""
        return in_words(self.values)


def in_words(values: Mapping[str, int]) -> str:
    """How much there is of each kind; `nothing` where there is none."""
    owners = [kind for kind in _KINDS.values() if kind in values]
    secrets = [f"{values[kind]} of {kind}" for kind in owners[1:]]
    if owners:
        secrets.insert(0, f"{counted(values[owners[0]], 'secret')} of {owners[0]}")
    others = {kind: values[kind] for kind in values if kind not in owners}
    keys = others.pop(_DATA_KEYS, 0)
    found = [counted(keys, "data key")] * bool(keys) + secrets
    return ", ".join([*found, *(_counted(kind, count) for kind, count in others.items())]) or "nothing"


def _counted(kind: str, count: int) -> str:
    one, more = _OTHERS.get(kind, (kind, kind))
    return counted(count, one, more)


class Status(Value):
    """All master keys, and the processes that have them."""

    keys: tuple[KeyStatus, ...]
    processes: tuple[KeyHolder, ...]


def status_of(keyring: Keyring, uses: Uses, processes: Sequence[KeyHolder]) -> Status:
    """The keys of a ring, the current one first, then those that are in no ring and yet hold something."""
    roles = {key.id: key.role for key in keyring.keys}
    unknown = sorted({key for _, key in uses} - roles.keys())
    found = [(id_, str(role)) for id_, role in roles.items()] + [(id_, "unknown") for id_ in unknown]
    keys = (
        KeyStatus(id=id_, role=role, values={kind: n for (kind, key), n in sorted(uses.items()) if key == id_})
        for id_, role in found
    )
    return Status(keys=tuple(keys), processes=tuple(processes))


@dataclass(frozen=True)
class Census:
    """Counts what is sealed, over all organizations and services."""

    accounts: Accounts
    sealing: SealingClient
    operations: OperationStore
    sealer: Sealer

    async def organizations(self) -> AsyncIterator[OrganizationId]:
        """All of them, those above before those below."""
        above = [ROOT]
        while above:
            for organization in await self.accounts.children(above.pop(0)):
                above.append(organization.id)
                yield organization.id

    async def uses(self) -> Uses:
        """How much is sealed under which key, by kind."""
        found = Uses()
        question = SealedQuestion(key_id=self.sealer.keyring.current.id, limit=1)
        async for org in self.organizations():
            data_key = await self.accounts.data_keys.get(org, org)
            if data_key is not None:
                found[_DATA_KEYS, self.sealer.key_of(data_key.sealed, org) or data_key.key_id] += 1
            for owner in self.sealing.owners:
                _add(found, await self.sealing.sealed(owner, org, question))
            _add(found, await self.sealing.copies(org, question), kind=COPIES)
        for command in await self.operations.unsent():
            found.update((_KEPT_COMMANDS, key) for key in key_ids_in(command))
        return found


def key_ids_in(message: Envelope[Message]) -> set[str]:
    """The master keys that sealed the values in a message."""
    return set(_KEY_ID.findall(message.data.model_dump_json()))


def _add(found: Uses, told: SealedOwners, *, kind: str = "") -> None:
    for use in told.uses:
        found[kind or _KINDS.get(use.kind, use.kind), use.key_id] += use.values
