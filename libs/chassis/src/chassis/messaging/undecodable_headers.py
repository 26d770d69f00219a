"""Kafka records that aiokafka does not take, byte for byte: names of headers that are not UTF-8, and nothing at all.

Kafka takes any bytes for the name of a header. aiokafka fails on such a record, fetches it again and fails again: its
partition stands still. Here such names are read with surrogate escapes, as Python reads file names, and written back. A
record with neither key nor value is read by aiokafka and not sent.
"""

import re
import struct
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import (
    _DefaultRecordBatchBuilderPy,
    _DefaultRecordBatchPy,
    _DefaultRecordPy,
)
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint
from contracts.envelope import Headers

_ESCAPED = re.compile("[\udc80-\udcff]")
_LENGTH = struct.Struct(">8xi")
_NEW_FORMAT = 2
_FORMAT_AT = 16


def read_undecodable_names() -> None:
    """From now on consumers of this process read records whatever the names of their headers are."""
    # aiokafka has no setting for this: its fetcher takes the class by this name.
    fetcher.MemoryRecords = _Records


def needs_own_encoding(key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> bool:
    """Whether aiokafka would not send this."""
    return (key is None and value is None) or any(_ESCAPED.search(name) for name, _ in headers)


async def send_undecodable(
    producer: AIOKafkaProducer, topic: str, *, key: bytes | None, value: bytes | None, headers: Headers
) -> None:
    """Send such a record; returns and raises as `send_and_wait` does."""
    # As `send` does first: a partition can be chosen only once the client has heard of the topic.
    await producer.client._wait_on_metadata(topic)
    batch = UndecodableBatch(producer._message_accumulator._batch_size)
    batch.append(timestamp=None, key=key, value=value, headers=escaped(headers))
    partition = producer._partition(topic, None, key, value, key, value)
    await (await producer.send_batch(batch, topic, partition=partition))


class _Name(str):
    """A name that is written as the bytes it was read from."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "surrogateescape") -> bytes:
        return super().encode(encoding, errors)


def escaped(headers: Headers) -> list[tuple[str, bytes | None]]:
    """Headers as `UndecodableBatch` takes them."""
    return [(_Name(name), value) for name, value in headers]


class UndecodableBatch(BatchBuilder):  # type: ignore[misc]
    """A batch made in Python, of records with `escaped` headers: the compiled builder takes no names but text."""

    def __init__(self, batch_size: int, codec: int = 0) -> None:
        super().__init__(batch_size, codec)
        self._builder = _DefaultRecordBatchBuilderPy(
            2, codec, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=0, batch_size=batch_size
        )

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self._builder.set_producer_state(producer_id, producer_epoch, base_sequence)


class _Records:
    """What was fetched of a partition, as the fetcher reads it; each batch knows its bytes."""

    def __init__(self, content: bytes) -> None:
        self._records = MemoryRecords(content)
        self._content = memoryview(content)
        self._position = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._records, name)

    def next_batch(self) -> Any:
        """The next batch; there must be one."""
        batch = self._records.next_batch()
        (length,) = _LENGTH.unpack_from(self._content, self._position)
        raw = self._content[self._position : self._position + _LENGTH.size + length]
        self._position += len(raw)
        return _ReadBatch(batch, raw) if raw[_FORMAT_AT] >= _NEW_FORMAT else batch


class _ReadBatch:
    """A batch that is read by aiokafka, from the first record on that it cannot read by us."""

    def __init__(self, batch: Any, raw: memoryview) -> None:
        self._batch = batch
        self._raw = raw
        self._iterator: Iterator[Any] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        self._iterator = self._iterator or iter(self)
        return next(self._iterator)

    def __iter__(self) -> Iterator[Any]:
        read = 0
        records = iter(self._batch)
        while True:
            try:
                record = next(records, None)
            except (CorruptRecordException, UnicodeDecodeError):
                yield from islice(_records_of(self._raw), read, None)
                return
            if record is None:
                return
            read += 1
            yield record


class _Reader:
    def __init__(self, content: Any, position: int) -> None:
        self._content = content
        self._position = position

    def number(self) -> int:
        value, self._position = decode_varint(self._content, self._position)
        return int(value)

    def data(self) -> bytes | None:
        length = self.number()
        if length < 0:
            return None
        start, self._position = self._position, self._position + length
        if self._position > len(self._content):
            raise CorruptRecordException("a record is longer than its batch")
        return bytes(self._content[start : self._position])


def _records_of(raw: memoryview) -> Iterator[Any]:
    """All records of a batch. Raises `CorruptRecordException` for what is none; format: Kafka's message format v2."""
    batch = _DefaultRecordBatchPy(bytearray(raw))
    batch._maybe_uncompress()
    reader = _Reader(batch._buffer, batch._pos)
    try:
        for _ in range(batch._num_records):
            yield _record(reader, batch)
    except IndexError as error:
        raise CorruptRecordException("a batch ends within a record") from error


def _record(reader: _Reader, batch: Any) -> Any:
    _length, _attributes = reader.number(), reader.number()
    time, offset = reader.number(), reader.number()
    stamp = batch.max_timestamp if batch.timestamp_type == batch.LOG_APPEND_TIME else batch.first_timestamp + time
    key, value = reader.data(), reader.data()
    headers = []
    for _ in range(reader.number()):
        name, text = reader.data() or b"", reader.data()
        headers.append((name.decode(errors="surrogateescape"), text))
    return _DefaultRecordPy(batch.base_offset + offset, stamp, batch.timestamp_type, key, value, headers)
