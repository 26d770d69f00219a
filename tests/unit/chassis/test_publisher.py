"""Messages with equal keys keep their order, and wait for their confirmations together."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError
from chassis.errors import Unavailable
from chassis.messaging.publisher import ALONE_BYTES, KafkaPublisher, MessageTooLarge, send_all
from contracts.envelope import Envelope
from contracts.messages.connector.stores import RestorePointRemoved
from contracts.values import AppId, OrganizationId, SnapshotId

from tests.support.builders import wrap
from tests.support.waiting import eventually_async


class Producer:
    """Takes messages in their order and confirms them when it is told to; refuses those that are in `refused`."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.confirmations: list[asyncio.Future[None]] = []
        self.refused: set[str] = set()

    async def send(self, topic: str, value: bytes, *, key: bytes, headers: Any) -> "asyncio.Future[None]":
        name = dict(headers)["ce_id"].decode()
        if name in self.refused:
            raise MessageSizeTooLargeError
        self.taken.append(name)
        self.confirmations.append(asyncio.get_running_loop().create_future())
        return self.confirmations[-1]


@pytest.fixture
def producer() -> Producer:
    return Producer()


def message(name: str, *, key: str = "store", size: int = 0) -> Envelope[Any]:
    gone = RestorePointRemoved(
        organization_id=OrganizationId("org"), store_id=AppId(key), snapshot_id=SnapshotId("a" * (64 + size))
    )
    return wrap(gone).model_copy(update={"id": name})


async def sending(producer: Producer, *messages: Envelope[Any], until: list[str]) -> "asyncio.Task[None]":
    """Have them sent, as far as the producer takes them before it confirms one."""
    task = asyncio.ensure_future(send_all(KafkaPublisher(producer), messages))
    await eventually_async(lambda: sorted(producer.taken) == until)
    return task


async def test_equal_keys_are_sent_in_their_order_without_a_wait_in_between(producer: Producer) -> None:
    messages = [message("1"), message("2"), message("3"), message("other", key="another store")]
    task = await sending(producer, *messages, until=["1", "2", "3", "other"])
    assert [name for name in producer.taken if name != "other"] == ["1", "2", "3"]

    for each in producer.confirmations[:-1]:
        each.set_result(None)
    await asyncio.wait({task}, timeout=0)
    assert not task.done()

    producer.confirmations[-1].set_result(None)
    await asyncio.wait_for(task, 5)


async def test_one_that_is_not_confirmed_fails_all_once_all_have_ended(producer: Producer) -> None:
    task = await sending(producer, message("1"), message("2"), until=["1", "2"])

    producer.confirmations[0].set_exception(KafkaConnectionError())
    await asyncio.wait({task}, timeout=0)
    assert not task.done()

    producer.confirmations[1].set_result(None)
    with pytest.raises(Unavailable):
        await asyncio.wait_for(task, 5)


async def test_none_is_sent_after_one_that_was_not_taken(producer: Producer) -> None:
    producer.refused = {"2"}
    messages = [message("1"), message("2"), message("3"), message("other", key="another store")]
    task = await sending(producer, *messages, until=["1", "other"])

    for each in producer.confirmations:
        each.set_result(None)
    with pytest.raises(MessageTooLarge):
        await asyncio.wait_for(task, 5)
    assert sorted(producer.taken) == ["1", "other"]


@pytest.mark.parametrize("is_taken", [True, False])
async def test_none_is_sent_before_a_large_one_is_taken(producer: Producer, *, is_taken: bool) -> None:
    task = await sending(producer, message("1", size=ALONE_BYTES), message("2"), until=["1"])
    await asyncio.wait({task}, timeout=0)
    assert producer.taken == ["1"]

    if not is_taken:
        producer.confirmations[0].set_exception(MessageSizeTooLargeError())
        with pytest.raises(MessageTooLarge):
            await asyncio.wait_for(task, 5)
        assert producer.taken == ["1"]
        return
    producer.confirmations[0].set_result(None)
    await eventually_async(lambda: producer.taken == ["1", "2"])
    producer.confirmations[1].set_result(None)
    await asyncio.wait_for(task, 5)
