"""Sends the restore index what a restore point holds: only the directories that it does not have."""

import logging
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeVar

from chassis.messaging.envelopes import envelope
from chassis.messaging.publisher import Publisher
from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.messages.restore_index import DirectoriesListed, DirectoryPage, RestorePoint, RestorePointListed
from contracts.values import OrganizationId
from restic_reader import Repository, Totals, Walked

from connector.queue.lease import Lease
from connector.stores.directory_pages import Arrived, PageMaker
from connector.stores.index_client import IndexClient
from connector.stores.listing_thread import IndexQuestions, produced_ahead

log = logging.getLogger(__name__)
T = TypeVar("T")
# The first batch is small and each is twice the one before, so that the index has something to do early.
FIRST_BATCH_BYTES, BATCH_BYTES = 60_000, 500_000
BATCHES_AHEAD = 4
MESSAGES_AHEAD = 32
PATIENCE_SECONDS = 60.0
REBUILT_SLOTS = 1 << 21
_PAGE_OVERHEAD = 400


class Listed(NamedTuple):
    """How much was new."""

    directories: int = 0
    entries: int = 0


NewPageMaker = Callable[[Arrived], PageMaker]
OnListed = Callable[[Listed], None]
"""Called with what was sent so far."""


class Rebuilt:
    """Directories that one rebuild has sent again, so that what restore points share is sent once."""

    # A hash table without chains: 16 MiB however many directories there are. One may push another out, which is then
    # sent once more; a set would hold millions of ids.

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * REBUILT_SLOTS))

    def add(self, tree_id: str) -> None:
        """This one was sent."""
        mark = int(tree_id[:16], 16)
        self._slots[mark % REBUILT_SLOTS] = mark

    def __contains__(self, tree_id: str) -> bool:
        """Whether it was sent; that may have been forgotten."""
        mark = int(tree_id[:16], 16)
        return mark != 0 and self._slots[mark % REBUILT_SLOTS] == mark


@dataclass(frozen=True)
class _Batch:
    pages: tuple[DirectoryPage, ...]
    listed: Listed
    """Up to and with this batch."""


class Lister:
    """Lists restore points of stores; the walk runs in a thread, and never far ahead of what the index has taken in."""

    def __init__(
        self,
        publisher: Publisher,
        index: IndexClient,
        *,
        batch_bytes: int = BATCH_BYTES,
        new_page_maker: NewPageMaker = PageMaker,
    ) -> None:
        self._publisher = publisher
        self._index = index
        self._batch_bytes = batch_bytes
        self._new_page_maker = new_page_maker

    async def list_restore_point(
        self,
        lease: Lease,
        repository: Repository,
        point: RestorePoint,
        *,
        seen_at: datetime,
        on_listed: OnListed,
        again: Rebuilt | None = None,
    ) -> Listed:
        """Send what is new, children before parents, then that it is complete, as of `seen_at` (see `created`).

        With `again` everything is sent that was not sent in this rebuild, to replace what the index has of it. Raises
        `LeaseLost`, `Unavailable`, or what reading the repository raises. Doing it twice changes nothing.
        """
        org, store_id, listed = lease.work.organization_id, point.store_id, Listed()
        window = _Window(self._index, org, store_id)
        questions = IndexQuestions(
            known=lambda tree_ids: self._known(org, store_id, tree_ids, again),
            arrived=lambda tree_id, pages: self._arrived(org, store_id, tree_id, pages, again),
        )

        def walk() -> Iterator[_Batch]:
            maker = self._new_page_maker(questions.arrived)
            directories = repository.walk_new(point.tree_id, questions.known)
            return _batches(directories, maker, self._batch_bytes)

        with span("connector.index", attributes={semconv.STORE: store_id}):
            async with produced_ahead(walk, questions, most=BATCHES_AHEAD) as batches:
                async for batch in batches:
                    event = DirectoriesListed.model_construct(
                        organization_id=org, store_id=store_id, directories=batch.pages, again=again is not None
                    )
                    await self._send(lease, event)
                    _remember(again, batch.pages)
                    listed = batch.listed
                    on_listed(listed)
                    await window.sent(batch.pages[-1])
            complete = RestorePointListed(organization_id=org, store_id=store_id, restore_point=point, seen_at=seen_at)
            await self._send(lease, complete)
        return listed

    async def _known(
        self, org: OrganizationId, store_id: str, tree_ids: list[str], again: Rebuilt | None
    ) -> Mapping[str, Totals]:
        """What need not be sent: the index has it, and in a rebuild that is what was just sent."""
        asked = tree_ids if again is None else [tree_id for tree_id in tree_ids if tree_id in again]
        return await self._index.known(org, store_id, asked)

    async def _arrived(
        self, org: OrganizationId, store_id: str, tree_id: str, pages: int, again: Rebuilt | None
    ) -> int:
        """How many pages of a large directory need not be sent."""
        return await self._index.arrived(org, store_id, tree_id, pages=pages) if again is None else 0

    async def _send(self, lease: Lease, event: DirectoriesListed | RestorePointListed) -> None:
        # One at a time: readers rely on children arriving before their parents on the partition.
        lease.check()
        await self._publisher.send(envelope(event, service="connector", cause=lease.work.cause))


def _remember(again: Rebuilt | None, pages: Sequence[DirectoryPage]) -> None:
    """Those whose last page was sent."""
    for page in pages if again is not None else ():
        if again is not None and page.page == page.pages - 1:
            again.add(page.tree_id)


class _Window:
    """Keeps a listing near to what the index has taken in, so that little is sent twice after a kill."""

    def __init__(self, index: IndexClient, org: OrganizationId, store_id: str) -> None:
        self._index = index
        self._org, self._store_id = org, store_id
        self._sent: deque[DirectoryPage] = deque()
        self._waits = True

    async def sent(self, last: DirectoryPage) -> None:
        """A message was sent that ends with this page; returns when fewer than `MESSAGES_AHEAD` may be under way."""
        self._sent.append(last)
        if len(self._sent) < MESSAGES_AHEAD:
            return
        oldest = [self._sent.popleft() for _ in range(MESSAGES_AHEAD // 4)]
        # An index that answers and takes nothing in for a minute has rejected the message, which is a dead letter then.
        if self._waits:
            self._waits = await self._index.await_arrival(
                self._org, self._store_id, oldest[-1], patience_seconds=PATIENCE_SECONDS
            )
            if not self._waits:
                log.warning("the restore index does not take a listing in", extra={"store": self._store_id})


def _batches(walked: Iterator[Walked], maker: PageMaker, batch_bytes: int) -> Iterator[_Batch]:
    pages: list[DirectoryPage] = []
    size = directories = entries = 0
    limit = min(FIRST_BATCH_BYTES, batch_bytes)
    for directory in walked:
        directories, entries = directories + 1, entries + directory.size
        for page in maker.pages(directory):
            # Entries travel as base64, which is a third longer.
            added = len(page.entries) * 4 // 3 + _PAGE_OVERHEAD
            if pages and size + added > limit:
                yield _Batch(tuple(pages), Listed(directories, entries))
                pages, size, limit = [], 0, min(2 * limit, batch_bytes)
            pages.append(page)
            size += added
    if pages:
        yield _Batch(tuple(pages), Listed(directories, entries))
