"""Removes lists that were never applied, and what a process that died left of its import."""

import asyncio
import logging
from datetime import datetime, timedelta

from chassis.ids import utc_now
from chassis.persistence.mongo import Database, PyMongoError

from catalog.imports.store import ImportStore, day_of

log = logging.getLogger(__name__)
KEPT_DAYS, FORGOTTEN_DAYS = 2, 30
"""Days after which what an import left is removed, and how far back that is looked for."""
EVERY_SECONDS = 3600.0


class Leftovers:
    """Parts of lists and portions of plans that nobody will ask for."""

    def __init__(self, database: Database, store: ImportStore) -> None:
        self._parts, self._portions = database["import_parts"], database["import_portions"]
        self._store = store

    async def forget(self, now: datetime) -> None:
        """Remove what is older than `KEPT_DAYS`, but no plan that is being carried out."""
        for age in range(KEPT_DAYS, FORGOTTEN_DAYS):
            # By equality, a day at a time: a range would be evaluated on every document (0001).
            day = {"day": day_of(now - timedelta(days=age))}
            await self._parts.delete_many(day)
            found = [d async for d in self._portions.find(day, {"org": 1, "import_id": 1})]
            for org, import_id in sorted({(d["org"], d["import_id"]) for d in found}):
                current = await self._store.imports.get(org, import_id)
                if current is None or current.state != "applying":
                    await self._portions.delete_many({**day, "import_id": import_id})

    async def forget_forever(self) -> None:
        """Remove them now and then."""
        while True:
            try:
                await self.forget(utc_now())
            except PyMongoError as error:
                log.warning("old lists not removed", extra={"reason": type(error).__name__})
            await asyncio.sleep(EVERY_SECONDS)
