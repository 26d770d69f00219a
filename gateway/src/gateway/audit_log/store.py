"""The audit log in MongoDB.

An entry lies under the hour in which it began. Marks, inserted before the entries and never changed, say which hours of
a month hold any, and which days. So every query leads with an equality, and a page reads the hours it needs.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

from chassis.persistence.mongo import Collection, Database, Document, ensure_indexes, insert_new
from contracts.values import OrganizationId

from gateway.audit_log.entries import AuditEntry, AuditRow, Ending, began_at

_DAYS = "days"
_MARKS_REMEMBERED = 10_000
_ENTRY_INDEXES = (
    ("hour", "_id"),  # page
    ("hour", "action", "_id"),  # page of one action
    ("day",),  # forget
)
_MARK_INDEXES = (
    ("list", "_id"),  # the hours of a page, the days to forget
    ("day",),  # forget
)


class AuditStore:
    """Entries of all organizations. Whoever began an entry is the only one to end it."""

    def __init__(self, database: Database) -> None:
        self._entries: Collection = database["audit"]
        self._marks: Collection = database["audit_marks"]
        self._marked: OrderedDict[str, None] = OrderedDict()

    async def setup(self) -> None:
        """Create the indexes."""
        await asyncio.gather(
            ensure_indexes(self._entries, *_ENTRY_INDEXES, obsolete=("hour_1",)),
            ensure_indexes(self._marks, *_MARK_INDEXES, obsolete=("list_1",)),
        )

    async def begin(self, row: AuditRow) -> None:
        """Keep that something begins."""
        entry, hour, day = row.entry, _hour(row.at), _day(row.at)
        # Marks first: an entry that no mark leads to would be neither listed nor removed.
        await self._mark(day, of=_DAYS, day=day)
        await self._mark(f"{entry.organization_id}/{hour}", of=_month_of(entry.organization_id, hour), day=day)
        document = {
            "_id": row.id,
            "org": entry.organization_id,
            "hour": f"{entry.organization_id}/{hour}",
            "day": day,
            "action": entry.action,
            # An older name of an entry, which documents keep.
            "deed": entry.model_dump(mode="json"),
            "ended_at": row.ended_at,
            "ending": row.ending.model_dump(mode="json"),
        }
        await self._entries.insert_one(document)

    async def end(self, org: OrganizationId, entry_id: str, ending: Ending, now: datetime) -> None:
        """Keep what became of it."""
        change = {"ending": ending.model_dump(mode="json"), "ended_at": now}
        await self._entries.update_one({"_id": entry_id, "org": org}, {"$set": change})

    async def page(
        self,
        org: OrganizationId,
        *,
        action: str | None,
        before: str | None,
        oldest: datetime,
        now: datetime,
        limit: int,
    ) -> list[AuditRow]:
        """Up to `limit` entries that began before the entry `before`, newest first."""
        found: list[AuditRow] = []
        latest = min(began_at(before), now) if before else now
        async for hour in self._hours(org, latest, oldest):
            wanted = {"hour": f"{org}/{hour}"} | ({"action": action} if action else {})
            # Everything in an earlier hour is older anyway, and a range costs: FerretDB evaluates it on each document
            # (0001).
            older = {"_id": {"$lt": before}} if before and hour == _hour(latest) else {}
            rows = self._entries.find({**wanted, **older}).sort("_id", -1).limit(limit - len(found))
            found += [_row(each) async for each in rows]
            if len(found) >= limit:
                break
        return found

    async def _hours(self, org: OrganizationId, latest: datetime, oldest: datetime) -> AsyncIterator[str]:
        for month in _months(latest, oldest):
            marks = [mark["_id"] async for mark in self._marks.find({"list": f"{org}/{month}"}, {"_id": 1})]
            hours = sorted((mark.rpartition("/")[2] for mark in marks), reverse=True)
            for hour in hours:
                if hour <= _hour(latest):
                    yield hour

    async def forget(self, oldest: datetime) -> None:
        """Remove what began on a day before that of `oldest`."""
        days = [mark["_id"] async for mark in self._marks.find({"list": _DAYS}, {"_id": 1})]
        for day in (day for day in days if day < _day(oldest)):
            # Entries before marks: a process that dies in between finds the mark of the day again.
            await self._entries.delete_many({"day": day})
            await self._marks.delete_many({"day": day})

    async def _mark(self, mark: str, *, of: str, day: str) -> None:
        # Each process inserts a mark once: the next entry of the hour costs one insert, not three.
        if mark in self._marked:
            self._marked.move_to_end(mark)
            return
        await insert_new(self._marks, {"_id": mark, "list": of, "day": day})
        self._marked[mark] = None
        while len(self._marked) > _MARKS_REMEMBERED:
            self._marked.popitem(last=False)


def _row(document: Document) -> AuditRow:
    return AuditRow(
        id=document["_id"],
        entry=AuditEntry.model_validate(document["deed"]),
        ended_at=document["ended_at"],
        ending=Ending.model_validate(document["ending"]),
    )


def _months(latest: datetime, oldest: datetime) -> Iterator[str]:
    year, month = latest.year, latest.month
    while (year, month) >= (oldest.year, oldest.month):
        yield f"{year:04}-{month:02}"
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)


def _hour(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H")


def _day(moment: datetime) -> str:
    return _hour(moment)[:10]


def _month_of(org: OrganizationId, hour: str) -> str:
    return f"{org}/{hour[:7]}"
