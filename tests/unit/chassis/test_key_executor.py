"""The executor commits what is finished and nothing else."""

import asyncio

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError
from aiokafka.structs import ConsumerRecord
from chassis.messaging.key_executor import QUEUED_PER_RUNNING, KeyOrderedExecutor, Pause, Record
from chassis.persistence.revisions import SEEN_KEPT

from tests.support.waiting import eventually_async

PLACE = TopicPartition("topic", 0)


def record(offset: int, key: str = "k") -> Record:
    return ConsumerRecord("topic", 0, offset, 0, 0, key.encode(), b"", None, 0, 0, ())


class Desk:
    """Handles records when a test lets it, and keeps what is committed."""

    def __init__(self, width: int = 4, patience_seconds: float = 5) -> None:
        self.gates: dict[int, asyncio.Event] = {}
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.committed: list[int] = []
        self.refusing = False
        self.paused: set[TopicPartition] = set()
        self.executor = KeyOrderedExecutor(self.handle, width=width, patience_seconds=patience_seconds)

    async def handle(self, record: Record, *, pause: Pause) -> None:
        self.begun.append(record.offset)
        await self.gates.setdefault(record.offset, asyncio.Event()).wait()
        self.ended.append(record.offset)

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        if self.refusing:
            raise CommitFailedError
        self.committed.append(offsets[PLACE])

    def pause(self, place: TopicPartition) -> None:
        self.paused.add(place)

    def resume(self, place: TopicPartition) -> None:
        self.paused.remove(place)

    async def take(self, *records: Record) -> None:
        for one in records:
            await self.executor.take(one, self)

    def finish(self, *offsets: int) -> None:
        for offset in offsets:
            self.gates.setdefault(offset, asyncio.Event()).set()


async def test_a_partition_is_committed_up_to_its_first_unfinished_record() -> None:
    desk = Desk()
    await desk.take(record(5, "a"), record(6, "b"), record(7, "c"))
    desk.finish(6, 7)
    await eventually_async(lambda: set(desk.ended) == {6, 7})
    assert desk.committed == []
    desk.finish(5)
    await eventually_async(lambda: desk.committed == [8])
    await desk.executor.stop()


async def test_records_of_a_key_wait_for_each_other_and_others_do_not() -> None:
    desk = Desk()
    await desk.take(record(0, "a"), record(1, "a"), record(2, "b"))
    await eventually_async(lambda: desk.begun == [0, 2])
    desk.finish(0)
    await eventually_async(lambda: desk.begun == [0, 2, 1])
    desk.finish(1, 2)
    await desk.executor.stop()
    assert desk.committed[-1] == 3


async def test_too_many_records_are_not_taken() -> None:
    desk = Desk(width=1)
    for offset in range(QUEUED_PER_RUNNING):
        await desk.take(record(offset))
    one_more = asyncio.create_task(desk.take(record(QUEUED_PER_RUNNING)))
    await eventually_async(lambda: desk.begun == [0])
    assert not one_more.done()
    desk.finish(0)
    await one_more
    desk.finish(*range(QUEUED_PER_RUNNING + 1))
    await eventually_async(lambda: len(desk.ended) == QUEUED_PER_RUNNING + 1)
    await desk.executor.stop()


async def test_no_partition_runs_further_ahead_than_documents_remember() -> None:
    desk = Desk()
    desk.finish(*range(1, SEEN_KEPT))
    await desk.take(record(0, "stuck"), *(record(n, "others") for n in range(1, SEEN_KEPT - 1)))
    assert not desk.paused
    await desk.take(record(SEEN_KEPT - 1, "others"))
    assert desk.paused == {PLACE}
    await eventually_async(lambda: len(desk.ended) == SEEN_KEPT - 1)
    assert desk.paused == {PLACE}
    desk.finish(0)
    await eventually_async(lambda: not desk.paused)
    assert desk.committed == [SEEN_KEPT]
    await desk.executor.stop()


async def test_a_partition_far_ahead_goes_on_when_commits_work_again() -> None:
    desk = Desk()
    desk.refusing = True
    desk.finish(*range(SEEN_KEPT))
    await desk.take(*(record(n) for n in range(SEEN_KEPT)))
    await eventually_async(lambda: len(desk.ended) == SEEN_KEPT)
    assert desk.paused == {PLACE}
    desk.refusing = False
    await eventually_async(lambda: not desk.paused)
    await desk.executor.stop()


async def test_stopping_ends_what_is_under_way_and_begins_nothing() -> None:
    desk = Desk(width=1)
    await desk.take(record(0, "a"), record(1, "b"))
    await eventually_async(lambda: desk.begun == [0])
    stopping = asyncio.create_task(desk.executor.stop())
    await asyncio.sleep(0)
    desk.finish(0, 1)
    await stopping
    await desk.take(record(2))
    assert (desk.begun, desk.committed) == ([0], [1])


async def test_what_does_not_end_in_time_is_cancelled_and_not_committed() -> None:
    desk = Desk(patience_seconds=0.01)
    await desk.take(record(0, "a"), record(1, "b"))
    desk.finish(0)
    await eventually_async(lambda: desk.ended == [0])
    await desk.executor.stop()
    assert desk.committed[-1] == 1


async def test_after_a_reassignment_records_are_taken_again() -> None:
    desk = Desk(patience_seconds=0.01)
    await desk.take(record(0))
    await eventually_async(lambda: desk.begun == [0])
    await desk.executor.on_partitions_revoked({PLACE})
    await desk.executor.on_partitions_assigned({PLACE})
    desk.finish(0)
    await desk.take(record(0))
    await eventually_async(lambda: desk.committed == [1])
    await desk.executor.stop()


async def test_a_refused_commit_is_made_up_for_by_the_next() -> None:
    desk = Desk()
    desk.refusing = True
    desk.finish(0, 1)
    await desk.take(record(0))
    await eventually_async(lambda: desk.ended == [0])
    desk.refusing = False
    await desk.take(record(1))
    await eventually_async(lambda: desk.committed == [2])
    await desk.executor.stop()


async def test_an_error_that_escapes_loses_nothing() -> None:
    tries: list[int] = []

    async def handle(record: Record, *, pause: Pause) -> None:
        tries.append(record.offset)
        if len(tries) == 1:
            raise RuntimeError("escaped")

    desk = Desk()
    executor = KeyOrderedExecutor(handle, width=1, patience_seconds=1)
    await executor.take(record(0), desk)
    await eventually_async(lambda: desk.committed == [1])
    await executor.stop()
    assert tries == [0, 0]


async def test_who_pauses_gives_its_place_to_others_but_not_to_its_own_key() -> None:
    done: list[int] = []

    async def handle(record: Record, *, pause: Pause) -> None:
        while record.offset == 0 and 2 not in done:
            await pause(0.01)
        done.append(record.offset)

    desk = Desk()
    executor = KeyOrderedExecutor(handle, width=1, patience_seconds=1)
    for one in (record(0, "a"), record(1, "a"), record(2, "b")):
        await executor.take(one, desk)
    await eventually_async(lambda: desk.committed[-1:] == [3])
    await executor.stop()
    assert done == [2, 0, 1]


async def test_all_who_pause_can_be_cancelled() -> None:
    async def handle(record: Record, *, pause: Pause) -> None:
        await pause(3600)

    desk = Desk()
    executor = KeyOrderedExecutor(handle, width=1, patience_seconds=0.01)
    for offset in range(5):
        await executor.take(record(offset, str(offset)), desk)
    await asyncio.wait_for(executor.stop(), 5)
    assert desk.committed == []


async def test_a_retry_cancelled_while_it_waits_for_a_permit_adds_none() -> None:
    running: set[int] = set()

    async def handle(record: Record, *, pause: Pause) -> None:
        if record.offset == 0:
            # Another record runs by the time this one would go on.
            await pause(0)
        running.add(record.offset)
        try:
            await asyncio.Event().wait()
        finally:
            running.discard(record.offset)

    desk = Desk()
    executor = KeyOrderedExecutor(handle, width=1, patience_seconds=0.01)
    await executor.take(record(0, "waits"), desk)
    await executor.take(record(1, "runs"), desk)
    await eventually_async(lambda: running == {1})
    await executor.on_partitions_revoked({PLACE})
    await executor.on_partitions_assigned({PLACE})
    for offset in (1, 2, 3):
        await executor.take(record(offset, str(offset)), desk)
    await eventually_async(lambda: bool(running))
    for _ in range(10):
        await asyncio.sleep(0)
    assert running == {1}
    await executor.stop()
