"""Handles Kafka records side by side: equal keys one after the other in order, different keys at once.

A partition is committed up to its first record that is not finished, so that whatever was under way when the process
died comes again; it is taken no further ahead of that than documents remember messages. Before partitions are given to
another process, what is under way is ended here.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias

from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from chassis.persistence.revisions import SEEN_KEPT

log = logging.getLogger(__name__)
Record: TypeAlias = "ConsumerRecord[bytes | None, bytes | None]"
Pause: TypeAlias = Callable[[float], Awaitable[None]]
QUEUED_PER_RUNNING = 16
PAUSE_AFTER_BUG_SECONDS = 1.0
PAUSE_AFTER_FAILED_COMMIT_SECONDS = 0.5
COMMIT_AFTER_SECONDS = 0.05
"""A commit costs Kafka as much as a message: one is made for all that is finished within this time."""


class Handle(Protocol):
    """What a record is given to."""

    async def __call__(self, record: Record, *, pause: Pause) -> None:
        """Return when the record's offset may be committed. `pause` lets others go on for some seconds."""
        ...


class _Partition:
    """Which records of a partition are taken and not finished."""

    def __init__(self, first: int) -> None:
        self.paused = False
        self.unfinished: dict[int, None] = {}
        self.taken_up_to = first
        self.committed = first

    def take(self, offset: int) -> None:
        self.unfinished[offset] = None
        self.taken_up_to = offset + 1

    @property
    def is_far_ahead(self) -> bool:
        """Whether one more record might be forgotten as seen before it is committed."""
        return self.taken_up_to - self.committed >= SEEN_KEPT

    @property
    def committable(self) -> int:
        return next(iter(self.unfinished), self.taken_up_to)


class _Permit:
    """The permit of one record to run, which it gives back while it pauses."""

    def __init__(self, running: asyncio.Semaphore) -> None:
        self._running = running
        self._is_held = False

    async def __aenter__(self) -> None:
        await self._acquire()

    async def __aexit__(self, *_: object) -> None:
        # A record that was cancelled in its pause holds none: releasing one anyway would let one more run for good.
        if self._is_held:
            self._release()

    async def pause(self, seconds: float) -> None:
        """Sleep while another record runs in this one's place: what waits may wait for what that one brings."""
        self._release()
        await asyncio.sleep(seconds)
        await self._acquire()

    async def _acquire(self) -> None:
        await self._running.acquire()
        self._is_held = True

    def _release(self) -> None:
        self._is_held = False
        self._running.release()


class KeyOrderedExecutor(ConsumerRebalanceListener):  # type: ignore[misc]
    """Up to `width` records at once, through `handle`, which returns when a record's offset may be committed."""

    def __init__(self, handle: Handle, *, width: int, patience_seconds: float) -> None:
        self._handle = handle
        self._patience = patience_seconds
        self._running = asyncio.Semaphore(width)
        self._queued = asyncio.Semaphore(width * QUEUED_PER_RUNNING)
        self._tails: dict[object, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._partitions: dict[TopicPartition, _Partition] = {}
        self._finished = asyncio.Event()
        self._held_up = asyncio.Event()
        self._consumer: Any = None
        self._committing: asyncio.Task[None] | None = None
        self._closed = self._stopped = False

    @property
    def committing(self) -> asyncio.Task[None] | None:
        """The loop that commits, which must not end while records are taken; None before the first record."""
        return self._committing

    async def take(self, record: Record, consumer: Any) -> None:
        """Queue a record, taken from an aiokafka consumer, behind those with its key; waits while too many are."""
        # While this waits, the partitions may be taken away; then another process gets the record.
        await self._queued.acquire()
        if self._closed:
            self._queued.release()
            return
        self._consumer = consumer
        self._committing = self._committing or asyncio.create_task(self._commit_forever())
        place = TopicPartition(record.topic, record.partition)
        partition = self._partitions.get(place)
        if partition is None:
            partition = self._partitions[place] = _Partition(record.offset)
        partition.take(record.offset)
        if partition.is_far_ahead:
            partition.paused = True
            consumer.pause(place)
            self._held_up.set()
        # Without keys nothing tells which belong together: such records of a partition stay in order.
        key = record.key if record.key is not None else place
        task = asyncio.create_task(self._run(record, partition, after=self._tails.get(key)))
        self._tails[key] = task
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._forget(key, done))

    async def _run(self, record: Record, partition: _Partition, *, after: asyncio.Task[None] | None) -> None:
        if after is not None:
            await asyncio.wait([after])
        permit = _Permit(self._running)
        async with permit:
            while not self._closed:
                try:
                    await self._handle(record, pause=permit.pause)
                except Exception:
                    # Passing it over would lose the message: committing goes by what was finished.
                    log.exception("a message could be neither handled nor moved to the dead letters, trying again")
                    await permit.pause(PAUSE_AFTER_BUG_SECONDS)
                else:
                    partition.unfinished.pop(record.offset)
                    self._finished.set()
                    return

    def _forget(self, key: object, task: asyncio.Task[None]) -> None:
        self._queued.release()
        self._tasks.discard(task)
        if self._tails.get(key) is task:
            del self._tails[key]

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:  # noqa: ARG002
        """Take records again, from what was committed on."""
        self._closed = self._stopped

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:  # noqa: ARG002
        """End what is under way, forget what was not begun: another process may get it next."""
        await self._close()

    async def stop(self) -> None:
        """Take nothing more, ever; returns when nothing is under way. What does not end in time is cancelled."""
        self._stopped = True
        await self._close()

    async def _close(self) -> None:
        self._closed = True
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._patience)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._committing is not None:
            self._committing.cancel()
            await asyncio.gather(self._committing, return_exceptions=True)
            # What is finished and not committed would come again, to the process that gets the partition.
            await self._commit()
        self._committing = None
        self._partitions.clear()
        self._tails.clear()

    async def _commit_forever(self) -> None:
        while True:
            await self._finished.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(COMMIT_AFTER_SECONDS):
                    await self._held_up.wait()
            self._held_up.clear()
            self._finished.clear()
            if not await self._commit():
                await asyncio.sleep(PAUSE_AFTER_FAILED_COMMIT_SECONDS)
                self._finished.set()

    async def _commit(self) -> bool:
        due = {place: p for place, p in self._partitions.items() if p.committable > p.committed}
        offsets = {place: p.committable for place, p in due.items()}
        if not offsets or self._consumer is None:
            return True
        try:
            await self._consumer.commit(offsets)
        except KafkaError as error:
            log.warning("offsets not committed, will be tried again", extra={"reason": type(error).__name__})
            return False
        for place, offset in offsets.items():
            due[place].committed = offset
            self._resume(place, due[place])
        return True

    def _resume(self, place: TopicPartition, partition: _Partition) -> None:
        if partition.paused and not partition.is_far_ahead:
            partition.paused = False
            with contextlib.suppress(IllegalStateError):  # It was taken away meanwhile.
                self._consumer.resume(place)
