"""Idempotency keys in MongoDB. Documents are inserted and never changed, so that several gateways may share them."""

from dataclasses import dataclass
from datetime import datetime

from chassis.ids import utc_now
from chassis.persistence.mongo import Collection, Database, ensure_indexes, insert_new
from contracts.values import OrganizationId

from gateway.retention import day_of, forget_old


@dataclass(frozen=True)
class RememberedKey:
    """An idempotency key that was used: for which body, and which command it became."""

    fingerprint: str
    command_id: str


class KeyStore:
    """Idempotency keys, kept for `KEPT_DAYS`."""

    def __init__(self, database: Database) -> None:
        self._keys: Collection = database["idempotency_keys"]

    async def setup(self) -> None:
        """Create the index that `forget` needs."""
        await ensure_indexes(self._keys, ("day",))

    async def remember(self, org: OrganizationId, key: str, wanted: RememberedKey) -> RememberedKey:
        """Claim a key. Answers with what it was claimed for first, by this request or an earlier one."""
        document = {"_id": key, "org": org, "day": day_of(utc_now()), **vars(wanted)}
        # Exactly one insert of an id succeeds on any server (0003); who comes second reads what the first one wrote.
        if await insert_new(self._keys, document):
            return wanted
        # None only when its day was forgotten between the insert and this: then the key is as good as new.
        found = await self._keys.find_one({"_id": key, "org": org}) or document
        return RememberedKey(found["fingerprint"], found["command_id"])

    async def forget(self, now: datetime) -> None:
        """Remove what is older than `KEPT_DAYS`."""
        await forget_old(now, self._keys)
