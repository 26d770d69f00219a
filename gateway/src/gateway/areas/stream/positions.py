"""How far the topics were read, and the ids of events that say it."""

import base64
import hashlib
from collections.abc import Iterable

from contracts.errors import Invalid

LONGEST_ID = 4096
_VERSION = 1
_SEAL_BYTES = 6


class Positions:
    """The offset that is read next, for each partition of each topic; topics by their number."""

    __slots__ = ("_offsets",)

    def __init__(self, offsets: Iterable[Iterable[int]] = ()) -> None:
        self._offsets = [list(partitions) for partitions in offsets]

    def at(self, topic: int, partition: int) -> int | None:
        """The offset of a partition; None for one that was not known."""
        if topic >= len(self._offsets) or partition >= len(self._offsets[topic]):
            return None
        return self._offsets[topic][partition]

    def move(self, topic: int, partition: int, offset: int) -> None:
        """Go on from an offset; partitions before a new one begin at their first message."""
        while topic >= len(self._offsets):
            self._offsets.append([])
        partitions = self._offsets[topic]
        partitions.extend([0] * (partition + 1 - len(partitions)))
        partitions[partition] = offset

    def copy(self) -> "Positions":
        """The same positions, which change by themselves."""
        return Positions(self._offsets)

    def items(self) -> list[tuple[int, int, int]]:
        """Topic, partition and offset of all."""
        return [
            (topic, partition, offset)
            for topic, partitions in enumerate(self._offsets)
            for partition, offset in enumerate(partitions)
        ]

    def covers(self, other: "Positions") -> bool:
        """Whether all that is before `other` is before these too."""
        return all((self.at(topic, partition) or 0) >= offset for topic, partition, offset in other.items())

    @property
    def topics(self) -> list[list[int]]:
        """The offsets of each topic's partitions."""
        return self._offsets


class EventIds:
    """Positions as text that a client keeps and sends back: sealed, so that only ids of this installation are taken."""

    def __init__(self, key: bytes) -> None:
        self._key = hashlib.blake2b(b"ids of events", key=key, digest_size=32).digest()

    def write(self, positions: Positions) -> str:
        """An id, of letters, digits, hyphens and underscores; some 100 characters."""
        body = bytearray([_VERSION])
        for partitions in positions.topics:
            _append(body, len(partitions))
            for offset in partitions:
                _append(body, offset)
        return base64.urlsafe_b64encode(bytes(body) + self._seal(body)).rstrip(b"=").decode()

    def read(self, text: str) -> Positions:
        """The positions an id stands for. Raises `Invalid` for one that was not given out here."""
        body = self._opened(text)
        topics: list[list[int]] = []
        place = 1
        while place < len(body):
            count, place = _number(body, place)
            partitions = []
            for _ in range(count):
                offset, place = _number(body, place)
                partitions.append(offset)
            topics.append(partitions)
        return Positions(topics)

    def _opened(self, text: str) -> bytes:
        try:
            sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) if len(text) <= LONGEST_ID else b""
        except ValueError:
            sealed = b""
        body, seal = sealed[:-_SEAL_BYTES], sealed[-_SEAL_BYTES:]
        if body[:1] != bytes([_VERSION]) or seal != self._seal(body) or self._text(sealed) != text:
            raise Invalid("event_id_unknown", "The Last-Event-ID is none that this stream gave out.")
        return body

    @staticmethod
    def _text(sealed: bytes) -> str:
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def _seal(self, body: bytes | bytearray) -> bytes:
        return hashlib.blake2b(body, key=self._key, digest_size=_SEAL_BYTES).digest()


def _append(body: bytearray, number: int) -> None:
    """Seven bits a byte, the lowest first; all but the last with the highest bit set."""
    while number > 0x7F:
        body.append(0x80 | (number & 0x7F))
        number >>= 7
    body.append(number)


def _number(body: bytes, place: int) -> tuple[int, int]:
    number = shift = 0
    while body[place] & 0x80:
        number |= (body[place] & 0x7F) << shift
        shift, place = shift + 7, place + 1
    return number | body[place] << shift, place + 1
