"""From where accounts came in before. Documents are inserted and never changed, so that several gateways share them."""

import hashlib
from datetime import datetime, timedelta

from chassis.persistence.mongo import Collection, Database, ensure_indexes, insert_new
from contracts.messages.connector import EVERYBODY

KEPT_DAYS = 180
_FORGOTTEN_DAYS = KEPT_DAYS + 30


class KnownAddresses:
    """Pairs of account and address with which somebody logged in."""

    def __init__(self, database: Database) -> None:
        self._pairs: Collection = database["known_addresses"]

    async def setup(self) -> None:
        """Create the index that `forget` needs."""
        await ensure_indexes(self._pairs, ("day",))

    async def knows(self, email: str, address: str) -> bool:
        """Whether the account with this email logged in from this address before."""
        return await self._pairs.find_one({"_id": _pair(email, address), "org": EVERYBODY}, {"_id": 1}) is not None

    async def remember(self, email: str, address: str, now: datetime) -> None:
        """Keep that the account logged in from there. Harmless when repeated."""
        document = {"_id": _pair(email, address), "org": EVERYBODY, "day": _day(now)}
        await insert_new(self._pairs, document)

    async def forget(self, now: datetime) -> None:
        """Remove what was kept `KEPT_DAYS` ago, a day at a time; the next login brings it back."""
        for age in range(KEPT_DAYS, _FORGOTTEN_DAYS):
            await self._pairs.delete_many({"day": _day(now - timedelta(days=age))})


def _pair(email: str, address: str) -> str:
    return hashlib.sha256(f"{email.lower()}\0{address}".encode()).hexdigest()


def _day(moment: datetime) -> str:
    return moment.date().isoformat()
