"""A publisher that writes down what it is given; what Kafka does with messages is the business of other tests."""

from collections.abc import Sequence

from chassis.errors import Unavailable
from contracts.envelope import Envelope, Headers
from contracts.messages.base import Message


class Notebook:
    """Keeps what was sent in `sent`; while `closed`, it takes nothing, like a Kafka that is down."""

    def __init__(self) -> None:
        self.sent: list[Envelope[Message]] = []
        self.closed = False

    async def send(self, envelope: Envelope[Message]) -> None:
        """Write an envelope down."""
        if self.closed:
            raise Unavailable("kafka_unavailable", "The notebook is closed.")
        self.sent.append(envelope)

    async def send_in_order(self, envelopes: Sequence[Envelope[Message]]) -> None:
        """Write envelopes down."""
        for one in envelopes:
            await self.send(one)

    async def send_raw(self, topic: str, *, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """Raw messages are not expected here."""
        raise AssertionError(f"a raw message for {topic}")
