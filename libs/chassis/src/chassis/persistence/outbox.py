"""The outbox: sends the pending messages of documents, and never writes to those documents.

Before an aggregate is saved with messages, a mark `<collection>/<id>/<revision>` is inserted; after they were sent it
is deleted. A mark that is some seconds old was left by a process that died in between: the sweep then sends the
messages again. So how far the outbox has sent stands in documents of its own, and an aggregate keeps its one writer.
"""

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

from contracts.envelope import Envelope
from contracts.errors import CairnError
from contracts.messages.base import Message
from contracts.messages.outcomes import CommandOutcome
from contracts.registry import MESSAGES

from chassis.errors import Unavailable
from chassis.ids import utc_now
from chassis.messaging.publisher import OrderedPublisher, send_all
from chassis.persistence.batches import deletions, inserts
from chassis.persistence.mongo import Collection, Database, Document, DuplicateKeyError, PyMongoError, ensure_indexes
from chassis.runtime.supervision import LoopSupervisor, begin

log = logging.getLogger(__name__)
GRACE = timedelta(seconds=3)
"""How old a mark is when the sweep takes it up; a process that lives deletes its marks sooner."""
ABANDONED = timedelta(hours=1)
"""How old a mark is when nobody saves its revision any more."""
REMEMBERED = 10_000
SWEEP_LIMIT = 500


def envelope_to_entry(envelope: Envelope[Message], *, kind: str, aggregate_id: str, revision: int) -> Document:
    """An outbox entry, with the field names that Debezium's MongoDB outbox router knows."""
    about = envelope.model_dump(exclude={"data", "id", "type"})
    return {
        "_id": envelope.id,
        "aggregatetype": kind,
        "aggregateid": aggregate_id,
        "type": envelope.type,
        "payload": envelope.data.model_dump_json(by_alias=True),
        "revision": revision,
        "about": about,
    }


def entry_to_envelope(entry: Document) -> Envelope[Message]:
    """The envelope an entry was made from."""
    data = MESSAGES[entry["type"]].model_validate_json(entry["payload"])
    return Envelope[Any](id=entry["_id"], type=entry["type"], data=data, **entry["about"])


def _place(mark: Document) -> tuple[str, str, int]:
    kind, _, rest = str(mark["_id"]).partition("/")
    aggregate_id, _, revision = rest.rpartition("/")
    return kind, aggregate_id, int(revision)


class Outbox:
    """The pending messages of one service."""

    def __init__(self, service: str, database: Database, publisher: OrderedPublisher) -> None:
        self.service = service
        self._marks: Collection = database["outbox_marks"]
        self._publisher = publisher
        self._watched: dict[str, Collection] = {}
        self._sent: OrderedDict[str, int] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._deletions: set[asyncio.Task[None]] = set()
        self._insert, self._unmark = inserts(self._marks), deletions(self._marks)

    async def setup(self) -> None:
        """Create the index the sweep needs."""
        await ensure_indexes(self._marks, ("state",))  # left: state

    def watch(self, collection: Collection) -> None:
        """Look for left messages in this collection too."""
        self._watched[collection.name] = collection

    async def mark(self, kind: str, aggregate_id: str, revision: int) -> None:
        """Note that a revision is about to be saved with messages. Harmless when done twice."""
        mark = {"_id": f"{kind}/{aggregate_id}/{revision}", "state": "pending", "at": utc_now()}
        with contextlib.suppress(DuplicateKeyError):
            await self._insert.ask(mark)

    async def unsent(self, kind: str, aggregate_id: str, entries: Sequence[Document]) -> list[Document]:
        """The entries of a loaded document that were not sent yet, as far as this process can tell."""
        # What this process sent it remembers; for what others sent the mark is looked up, which costs a query.
        reached = self._sent.get(f"{kind}/{aggregate_id}", 0)
        revisions = sorted({e["revision"] for e in entries if e["revision"] > reached})
        pending = [r for r in revisions if await self._marks.find_one({"_id": f"{kind}/{aggregate_id}/{r}"})]
        return [e for e in entries if e["revision"] in pending]

    async def send(
        self, kind: str, aggregate_id: str, entries: Sequence[Document], *, made: Sequence[Envelope[Message]] = ()
    ) -> bool:
        """Send entries, then delete their marks in the background; `made`: the envelopes of those that are new.

        What fails is left to the sweep, logged, not raised. Those with equal keys are sent in their order, and outcomes
        once Kafka has confirmed all others: who hears an outcome finds in the topics what the command announced.
        Returns whether all were sent.
        """
        if not entries:
            return True
        # The sweep may send for the same aggregate at the same time, and the order of its messages must hold.
        lock = self._locks.setdefault(f"{kind}/{aggregate_id}", asyncio.Lock())
        try:
            async with lock:
                # While this waited, an earlier save of the aggregate may have sent what was unsent then. What is new
                # is sent in any case: an aggregate that another process dropped may have begun with revision 1 again.
                reached = self._sent.get(f"{kind}/{aggregate_id}", 0)
                ready = {envelope.id: envelope for envelope in made}
                left = [entry for entry in entries if entry["_id"] in ready or entry["revision"] > reached]
                envelopes = [ready.get(entry["_id"]) or entry_to_envelope(entry) for entry in left]
                await send_all(self._publisher, [e for e in envelopes if not isinstance(e.data, CommandOutcome)])
                await send_all(self._publisher, [e for e in envelopes if isinstance(e.data, CommandOutcome)])
        except CairnError as error:
            log.warning("messages left to the relay", extra={"aggregate": aggregate_id, "reason": str(error)})
            return False
        except (KeyError, ValueError):
            # Another version of Cairn may have kept it. To raise would refuse a command that was carried out.
            log.exception("a message cannot be read as it is kept", extra={"aggregate": aggregate_id})
            return False
        revisions = {e["revision"] for e in entries}
        self._remember(f"{kind}/{aggregate_id}", max(revisions))
        # In the background: the outcome of a command need not wait for a mark that the sweep would remove as well.
        deletion = begin("marks", self._delete([f"{kind}/{aggregate_id}/{r}" for r in revisions]))
        self._deletions.add(deletion)
        deletion.add_done_callback(self._deletions.discard)
        return True

    async def send_left(self, kind: str, aggregate_id: str, entries: Sequence[Document]) -> None:
        """Send the entries of a loaded document that were not sent yet. Raises `Unavailable` when that has to wait."""
        if not await self.send(kind, aggregate_id, await self.unsent(kind, aggregate_id, entries)):
            raise Unavailable("messages_left", "The message broker does not take what was announced.")

    def forget(self, kind: str, aggregate_id: str) -> None:
        """Its document was deleted: an aggregate that gets its id begins with revision 1 again."""
        self._sent.pop(f"{kind}/{aggregate_id}", None)

    async def _delete(self, marks: Sequence[str]) -> None:
        try:
            await asyncio.gather(*map(self._unmark.ask, marks))
        except PyMongoError as error:
            log.warning("marks left to the relay", extra={"marks": list(marks), "reason": type(error).__name__})

    async def settle(self) -> None:
        """Wait until the marks of all that was sent are deleted."""
        await asyncio.gather(*self._deletions)

    def _remember(self, name: str, revision: int) -> None:
        self._sent[name] = max(revision, self._sent.pop(name, 0))
        while len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)

    async def sweep(self, now: datetime, *, grace: timedelta = GRACE) -> int:
        """Send what processes that died have left; returns how many marks were settled."""
        marks = [m async for m in self._marks.find({"state": "pending"}).limit(SWEEP_LIMIT)]
        by_aggregate: dict[tuple[str, str], list[Document]] = {}
        for mark in (m for m in marks if now - m["at"] >= grace):
            by_aggregate.setdefault(_place(mark)[:2], []).append(mark)
        settled = [await self._settle_in_order(left, now) for left in by_aggregate.values()]
        await self.settle()
        return sum(settled)

    async def left(self) -> int:
        """How many revisions that were saved still have messages to send."""
        marks = [m async for m in self._marks.find({"state": "pending"}).limit(SWEEP_LIMIT)]
        return len([m for m in marks if (await self._saved(m))[1]])

    async def _settle_in_order(self, marks: list[Document], now: datetime) -> int:
        """Settle the marks of one aggregate in the order of its revisions, up to the first that cannot be settled."""
        for done, mark in enumerate(sorted(marks, key=lambda m: _place(m)[2])):
            if not await self._settle(mark, now):
                return done
        return len(marks)

    async def _settle(self, mark: Document, now: datetime) -> bool:
        saved, entries = await self._saved(mark)
        if not saved and now - mark["at"] < ABANDONED:
            return False
        if entries:
            kind, aggregate_id, _ = _place(mark)
            return await self.send(kind, aggregate_id, entries)
        await self._marks.delete_one({"_id": mark["_id"]})
        return True

    async def _saved(self, mark: Document) -> tuple[bool, list[Document]]:
        """Whether the revision of a mark was saved, and the messages it came with, if it still has them."""
        kind, aggregate_id, revision = _place(mark)
        collection = self._watched.get(kind)
        document = await collection.find_one({"_id": aggregate_id}) if collection is not None else None
        if document is None:
            return False, []
        return document["revision"] >= revision, [e for e in document["outbox"] if e["revision"] == revision]

    @asynccontextmanager
    async def sweeping(self, background: LoopSupervisor, every_seconds: float = 2) -> AsyncIterator[None]:
        """Sweep again and again in the background."""
        async with background.running("outbox", lambda: self._sweep_forever(every_seconds)):
            try:
                yield
            finally:
                await self.settle()

    async def _sweep_forever(self, every_seconds: float) -> None:
        while True:
            try:
                await self.sweep(utc_now())
            except (CairnError, PyMongoError) as error:
                log.warning("sweep failed, will be tried again", extra={"reason": type(error).__name__})
            await asyncio.sleep(every_seconds)
