"""How long the gateway remembers requests: documents carry the day they were made and go by it."""

from datetime import datetime, timedelta

from chassis.persistence.mongo import Collection

KEPT_DAYS = 8
# Days that are looked through: a gateway that did not run for three weeks still removes all.
FORGOTTEN_DAYS = 30


def day_of(moment: datetime) -> str:
    """The day a document is kept under."""
    return moment.date().isoformat()


async def forget_old(now: datetime, *collections: Collection) -> None:
    """Remove what is older than `KEPT_DAYS`, a day at a time; what is older still was removed before."""
    for age in range(KEPT_DAYS, FORGOTTEN_DAYS):
        for collection in collections:
            # By equality, a day at a time: a range would be evaluated on every document (0001).
            await collection.delete_many({"day": day_of(now - timedelta(days=age))})
