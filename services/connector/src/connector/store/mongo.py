"""What workers keep, in MongoDB."""

import asyncio
from datetime import date

from chassis.ids import utc_now
from chassis.persistence.mongo import Collection, Database, Document, ensure_indexes, insert_new
from chassis.persistence.mongo_aggregates import LISTING, MongoAggregates
from chassis.persistence.outbox import Outbox, entry_to_envelope, envelope_to_entry
from contracts.messages.assignment import App
from contracts.messages.connector.stores import Compression
from contracts.messages.scheduler import USUAL_PRIORITY
from contracts.values import OrganizationId

from connector.domain.attempts import Attempt
from connector.domain.places_in_line import PlaceInLine
from connector.domain.read_shares import ReadShare
from connector.domain.work import Kind, SlotGroup, Work
from connector.domain.work_order import Queued
from connector.store.ports import OPEN_LIMIT, QUEUED_LIMIT, SWEEP_LIMIT, KnownApp, Store

_WORK_INDEXES = (
    ("queue", "at"),  # waiting, queued
    ("closed",),  # closed_on
)


class MongoWorkQueue:
    """`WorkQueue` in two collections, and a third to forget from. Work changes once, when it is closed."""

    def __init__(self, work: Collection, cancellations: Collection, attempts: Collection) -> None:
        self._work = work
        self._cancellations = cancellations
        self._attempts = attempts

    async def setup(self) -> None:
        """Create the indexes that looking for work, and for what can be forgotten, needs."""
        await ensure_indexes(self._work, *_WORK_INDEXES, obsolete=("queue_1",))

    async def add(self, work: Work, *, group: SlotGroup) -> bool:
        """See `WorkQueue`."""
        return await insert_new(self._work, _document(work, group))

    async def get(self, org: OrganizationId, work_id: str) -> Work | None:
        """See `WorkQueue`."""
        found = await self._work.find_one({"_id": work_id, "org": org})
        return _work(found) if found else None

    async def waiting(self, *, pool: str, group: SlotGroup) -> list[Work]:
        """See `WorkQueue`."""
        found = self._work.find({"queue": _queue(pool, group)}).sort("at", 1).limit(OPEN_LIMIT)
        return [_work(document) async for document in found]

    async def queued(self, *, pool: str, group: SlotGroup) -> list[Queued]:
        """See `WorkQueue`."""
        wanted = {"org": 1, "at": 1, "priority": 1, "stores": 1}
        found = self._work.find({"queue": _queue(pool, group)}, wanted).sort("at", 1).limit(QUEUED_LIMIT)
        return [_queued(document) async for document in found]

    async def close(self, org: OrganizationId, work_id: str) -> None:
        """See `WorkQueue`."""
        # Out of its queue, and under its day: each query compares one field, however much closed work is kept. FerretDB
        # hands only equalities down to PostgreSQL (decision 0001).
        closed = {"state": "closed", "queue": None, "closed": utc_now().date().isoformat()}
        await self._work.update_one({"_id": work_id, "org": org}, {"$set": closed})

    async def closed_on(self, day: date) -> list[tuple[OrganizationId, str]]:
        """See `WorkQueue`."""
        found = self._work.find({"closed": day.isoformat()}, {"org": 1}).limit(SWEEP_LIMIT)
        return [(OrganizationId(document["org"]), document["_id"]) async for document in found]

    async def forget(self, org: OrganizationId, work_id: str) -> None:
        """See `WorkQueue`."""
        # Straight from the collection, as attempts announce nothing: to load each and drop it would take more queries.
        await self._attempts.delete_many({"work": work_id, "org": org})
        await self._cancellations.delete_one({"_id": work_id, "org": org})
        # The work itself goes last, because it is what the clean-up finds: what a kill leaves is removed the next time.
        await self._work.delete_one({"_id": work_id, "org": org})

    async def forget_attempt(self, org: OrganizationId, work_id: str, number: int) -> None:
        """See `WorkQueue`."""
        await self._attempts.delete_one({"_id": f"{work_id}:{number}", "org": org})

    async def cancel(self, org: OrganizationId, work_id: str) -> None:
        """See `WorkQueue`."""
        await insert_new(self._cancellations, {"_id": work_id, "org": org})

    async def is_cancelled(self, org: OrganizationId, work_id: str) -> bool:
        """See `WorkQueue`."""
        return await self._cancellations.find_one({"_id": work_id, "org": org}) is not None


class MongoStoreApps:
    """`StoreApps` in the collection of known apps."""

    def __init__(self, apps: Collection) -> None:
        self._apps = apps

    async def all(self) -> list[tuple[OrganizationId, App]]:
        """See `StoreApps`."""
        found = self._apps.find({"kind": "store"}, {"org": 1, "value": 1})
        known = [(each["org"], KnownApp.model_validate(each["value"])) async for each in found]
        return [(OrganizationId(org), each.app) for org, each in known if each.app is not None]


class MongoRepositories:
    """`Repositories`: each change adds a document with the next number; whoever inserts it has noted it."""

    # Documents are added and never changed: one writer per document (decision 0003), and what was read once need not be
    # read again, so each question only looks for later numbers.

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._read: dict[str, tuple[int, Document]] = {}

    async def of(self, org: OrganizationId, store_id: str) -> str | None:
        """See `Repositories`."""
        return (await self._latest(org, store_id))[1].get("repository")

    async def compression_of(self, org: OrganizationId, store_id: str) -> Compression:
        """See `Repositories`."""
        return (await self._latest(org, store_id))[1].get("compression") or "auto"

    async def seal_of(self, org: OrganizationId, store_id: str) -> str | None:
        """See `Repositories`."""
        return (await self._latest(org, store_id))[1].get("seal")

    async def note(
        self,
        org: OrganizationId,
        store_id: str,
        repository_id: str,
        *,
        seal: str | None = None,
        compression: Compression | None = None,
    ) -> None:
        """See `Repositories`."""
        noted = False
        while not noted:
            number, known = await self._latest(org, store_id)
            # A seal belongs to one repository: kept for another one, it would pass for a check that was never made.
            kept = known.get("seal") if known.get("repository") == repository_id else None
            facts = {
                "repository": repository_id,
                "seal": seal or kept,
                "compression": compression or known.get("compression"),
            }
            document = {"_id": f"{org}/{store_id}/{number}", "org": org, **facts}
            # A lost insert means that another worker noted something: compare with that, and try the next number.
            noted = facts.items() <= known.items() or await insert_new(self._collection, document)

    async def _latest(self, org: OrganizationId, store_id: str) -> tuple[int, Document]:
        """The number of the next document, and the one before, empty where there is none."""
        place = f"{org}/{store_id}"
        number, known = self._read.get(place, (0, Document()))
        # By id, number after number: the ids that there are cannot be sorted by number, and a change is rare.
        while found := await self._collection.find_one({"_id": f"{place}/{number}"}):
            number, known = number + 1, {"compression": None, "seal": None, **found}
            self._read[place] = number, known
        return number, known


async def open_store(database: Database, outbox: Outbox) -> Store:
    """The store of a worker, with its indexes made."""
    apps = MongoAggregates(
        database["apps"],
        KnownApp,
        outbox,
        keys=lambda k: {"kind": k.app.kind} if k.app else {},
        indexes=(
            ("kind",),  # all stores
            LISTING,  # copies of an organization that are sealed under a key
        ),
    )
    attempts = MongoAggregates(
        database["attempts"],
        Attempt,
        outbox,
        keys=lambda a: {"work": a.work_id},
        indexes=(("org", "work", "_id"),),  # attempts_at, forget
        obsolete=("work_1",),
    )
    lines = MongoAggregates(
        # By its first name: workers of two versions stand in one line while they are replaced.
        database["turns"],
        PlaceInLine,
        outbox,
        keys=lambda t: {"place": t.place},
        indexes=(("org", "place", "_id"),),  # line_at
    )
    read_shares = MongoAggregates(database["read_shares"], ReadShare, outbox)
    work = MongoWorkQueue(database["work"], database["cancellations"], database["attempts"])
    await asyncio.gather(apps.setup(), attempts.setup(), lines.setup(), read_shares.setup(), work.setup())
    return Store(
        apps=apps,
        attempts=attempts,
        work=work,
        stores=MongoStoreApps(database["apps"]),
        repositories=MongoRepositories(database["repositories"]),
        lines=lines,
        read_shares=read_shares,
    )


def _queue(pool: str, group: SlotGroup) -> str:
    return f"{pool}/{group}"


def _document(work: Work, group: SlotGroup) -> Document:
    cause = envelope_to_entry(work.cause, kind="work", aggregate_id=work.id, revision=0)
    return {
        "_id": work.id,
        "org": work.organization_id,
        "state": "open",
        "queue": _queue(work.pool, group),
        "priority": work.priority,
        "stores": list(work.stores),
        **work.model_dump(include={"kind", "pool", "at", "traceparent", "tracestate"}, mode="python"),
        "cause": cause,
    }


def _work(document: Document) -> Work:
    return Work(
        id=document["_id"],
        kind=Kind(document["kind"]),
        cause=entry_to_envelope(document["cause"]),
        **{name: document[name] for name in ("pool", "at", "traceparent", "tracestate")},
    )


def _queued(document: Document) -> Queued:
    # Work that an earlier version queued has neither; it goes by its age and takes no slot of a store.
    return Queued(
        id=document["_id"],
        organization_id=OrganizationId(document["org"]),
        at=document["at"],
        priority=document.get("priority", USUAL_PRIORITY),
        stores=tuple(document.get("stores", ())),
    )
