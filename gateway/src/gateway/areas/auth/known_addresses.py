"""From where accounts came in before. Documents are inserted and never changed, so that several gateways share them."""

import asyncio
import hashlib
import logging
from datetime import datetime, timedelta

from chassis.ids import utc_now
from chassis.persistence.mongo import Collection, Database, PyMongoError, ensure_indexes, insert_new
from contracts.messages.connector.base import EVERYBODY

KEPT_DAYS = 180
# So many days without a running gateway are caught up.
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
    # Hashed: that a pair was here before can be checked, and the database does not list who came from where.
    return hashlib.sha256(f"{email.lower()}\0{address}".encode()).hexdigest()


def _day(moment: datetime) -> str:
    return moment.date().isoformat()


log = logging.getLogger(__name__)

FORGET_EVERY_SECONDS = 3600.0


async def forget_addresses(known: KnownAddresses) -> None:
    """Forget from where accounts came in long ago, now and then. Never ends."""
    while True:
        await asyncio.sleep(FORGET_EVERY_SECONDS)
        try:
            await known.forget(utc_now())
        except PyMongoError as error:
            log.warning("old addresses not forgotten", extra={"reason": type(error).__name__})
