"""Repositories kept open for reading, since opening one costs a key derivation and its whole index."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar
from weakref import WeakValueDictionary

from contracts.messages.assignment import App
from contracts.values import OrganizationId, SnapshotId
from integrations.sdk.errors import PassphraseWrong
from restic_reader import Repository, Snapshot
from restic_reader.errors import (
    BlobMissing,
    Damaged,
    FileMissing,
    ReaderError,
    RepositoryNotFound,
    SnapshotNotFound,
    StoreUnavailable,
    WrongPassword,
)

from connector.engine.errors import StoreNotInitialized

T = TypeVar("T")
SNAPSHOTS_KEPT = 1024
READERS_PER_STORE = 8
# Threads start when they are needed, and one that waits for a store which does not answer costs little.
READERS = 256
OpenRepository = Callable[[OrganizationId, App], Repository]
"""Opens the repository of a store; called in a thread."""
Notice = Callable[[OrganizationId, App, SnapshotId | None], None]
"""Called with a store that has lost something, and the restore point in which that was noticed."""
Change = Callable[[OrganizationId, App], None]
"""Called with a store that lacks a snapshot: it was removed, and nothing is known to be lost."""


class OpenStore:
    """An open repository of a store, and the snapshots that were looked up in it."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self._snapshots: OrderedDict[str, Snapshot] = OrderedDict()

    def snapshot(self, snapshot_id: str) -> Snapshot:
        """The snapshot with this id; raises `SnapshotNotFound`. Snapshots never change, so they are kept.

        One that was deleted since may still be told of: who must not take it for there asks `repository.snapshot`.
        """
        found = self._snapshots.get(snapshot_id)
        if found is None:
            found = self._snapshots[snapshot_id] = self.repository.snapshot(snapshot_id)
            if len(self._snapshots) > SNAPSHOTS_KEPT:
                self._snapshots.popitem(last=False)
        return found


class PointDeleted(SnapshotNotFound):
    """A restore point was deleted while it was read, so that what it lacks is no damage."""

    def __init__(self, snapshot_id: str) -> None:
        detail = f"Restore point {snapshot_id[:8]} was deleted while it was read."
        ReaderError.__init__(self, "snapshot_not_found", detail)
        self.prefix, self.matches = snapshot_id, 0


Reading = Callable[[SnapshotId], AbstractAsyncContextManager[OpenStore]]
"""Gives an open store to who reads this restore point in it."""


def require_still_there(repository: Repository, snapshot_id: str) -> None:
    """Call it when a restore point lacks something. Raises `PointDeleted`, or what listing all of them raises.

    Blocks.
    """
    if snapshot_id not in repository.snapshot_ids():
        raise PointDeleted(snapshot_id)


@dataclass
class _Slot:
    revision: int
    opening: "asyncio.Future[OpenStore]"
    users: int = 0
    discarded: bool = False

    @contextmanager
    def used(self) -> Iterator[None]:
        """Nobody closes it meanwhile."""
        self.users += 1
        try:
            yield
        finally:
            self.users -= 1
            self.close_if_unused()

    def close_if_unused(self) -> None:
        if self.discarded and self.users == 0 and self.is_open:
            self.opening.result().repository.close()

    @property
    def is_open(self) -> bool:
        opening = self.opening
        return opening.done() and not opening.cancelled() and opening.exception() is None


class OpenStores:
    """At most `limit` open stores, the least recently used is closed first; none is closed while somebody reads."""

    def __init__(
        self,
        open_repository: OpenRepository,
        *,
        limit: int,
        on_loss: Notice = lambda *_: None,
        on_change: Change = lambda *_: None,
    ) -> None:
        self._open_repository = open_repository
        self._on_loss = on_loss
        self._on_change = on_change
        self._limit = limit
        self._slots: OrderedDict[str, _Slot] = OrderedDict()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._reading_slots: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @property
    def borrowed(self) -> Mapping[str, int]:
        """How many read each store that is open, or is being opened, by its id."""
        return {app_id: slot.users for app_id, slot in self._slots.items()}

    async def in_thread(self, action: Callable[[], T], *, of: str) -> T:
        """Run something that reads the store `of` (its id) in a thread, at most `READERS_PER_STORE` for each store."""
        # Limited for each store, so that one which does not answer cannot use up the threads for all others. A caller
        # that stops waiting does not end its thread, so only the end of the action frees the slot.
        reading_slot = self._reading_slots.setdefault(of, asyncio.Semaphore(READERS_PER_STORE))
        loop = asyncio.get_running_loop()

        def release(_: object) -> None:
            with suppress(RuntimeError):  # The loop is closed: nobody waits for a slot any more.
                loop.call_soon_threadsafe(reading_slot.release)

        await reading_slot.acquire()
        try:
            reading = self._readers.submit(action)
        except BaseException:
            reading_slot.release()
            raise
        reading.add_done_callback(release)
        return await asyncio.wrap_future(reading)

    @asynccontextmanager
    async def borrow(
        self, org: OrganizationId, app: App, *, reading: SnapshotId | None = None
    ) -> AsyncIterator[OpenStore]:
        """The repository of a store in this revision, open until the context is left.

        Raises `PassphraseWrong`, `StoreNotInitialized`, or what else opening raises. When the block finds the
        repository damaged or gone, the next borrower opens it anew, and a loss is reported to `on_loss`; but where the
        restore point `reading` is not there any more, `PointDeleted` is raised instead.
        """
        with (slot := self._slot(org, app)).used():
            async with self._reading(org, app, slot, reading) as opened:
                yield opened

    @asynccontextmanager
    async def open_alone(self, org: OrganizationId, app: App) -> AsyncIterator[Reading]:
        """A repository that nobody else reads and that has nothing in memory yet, so that all of it is read from the
        store; closed when the context is left.

        It is not one of the `limit`, and takes as much memory as one of them. What it gives is like `borrow`.
        """
        slot = self._opening(org, app)
        slot.discarded = True
        with slot.used():
            yield partial(self._reading, org, app, slot)

    @asynccontextmanager
    async def _reading(
        self, org: OrganizationId, app: App, slot: _Slot, reading: SnapshotId | None
    ) -> AsyncIterator[OpenStore]:
        """The repository in a slot; what is found lost is told, see `borrow`."""
        try:
            try:
                # Shielded: others may wait for the same opening: a caller that is cancelled must not end it for them.
                yield await asyncio.shield(slot.opening)
            except (Damaged, BlobMissing, RepositoryNotFound) as error:
                self._discard(app.id, slot)
                if reading and slot.is_open:
                    await self._require_still_there(slot, app, reading)
                # Damage outside of a restore point may only mean that the repository was replaced, so it is no loss.
                if reading or isinstance(error, BlobMissing | FileMissing):
                    self._on_loss(org, app, reading)
                raise
        except SnapshotNotFound:
            self._on_change(org, app)
            raise

    async def _require_still_there(self, slot: _Slot, app: App, snapshot_id: SnapshotId) -> None:
        look = partial(require_still_there, slot.opening.result().repository, snapshot_id)
        # A store of which nobody knows what is there is told to be damaged, as it was found.
        with suppress(Damaged, RepositoryNotFound, StoreUnavailable):
            await self.in_thread(look, of=app.id)

    def open_ahead(self, org: OrganizationId, app: App) -> None:
        """Begin to open a store that will be needed soon; borrowing it raises what went wrong."""
        self._slot(org, app)

    def drop(self, app_id: str) -> None:
        """Close the repository of a store that was reconfigured or removed, once its last reader has left."""
        if slot := self._slots.get(app_id):
            self._discard(app_id, slot)

    async def close(self) -> None:
        """Close everything; nothing can be read afterwards."""
        for app_id, slot in list(self._slots.items()):
            self._discard(app_id, slot)
        self._readers.shutdown(wait=False, cancel_futures=True)

    def _slot(self, org: OrganizationId, app: App) -> _Slot:
        found = self._slots.get(app.id)
        if found is not None and found.revision == app.revision:
            self._slots.move_to_end(app.id)
            return found
        self.drop(app.id)
        slot = self._slots[app.id] = self._opening(org, app)
        while len(self._slots) > self._limit:
            self._discard(*next(iter(self._slots.items())))
        return slot

    def _opening(self, org: OrganizationId, app: App) -> _Slot:
        opening = asyncio.ensure_future(self.in_thread(lambda: self._open(org, app), of=app.id))
        slot = _Slot(app.revision, opening)
        # A failed opening is not kept: the next borrower tries again.
        opening.add_done_callback(lambda _: self._opened(app.id, slot))
        return slot

    def _open(self, org: OrganizationId, app: App) -> OpenStore:
        try:
            return OpenStore(self._open_repository(org, app))
        except WrongPassword:
            raise PassphraseWrong from None
        except RepositoryNotFound:
            raise StoreNotInitialized from None

    def _opened(self, app_id: str, slot: _Slot) -> None:
        if not slot.is_open:
            self._discard(app_id, slot)
        slot.close_if_unused()

    def _discard(self, app_id: str, slot: _Slot) -> None:
        if self._slots.get(app_id) is slot:
            del self._slots[app_id]
        slot.discarded = True
        slot.close_if_unused()
