"""Arrays of numbers as bytes: little-endian wherever they are read, packed with zstd."""

import sys
import threading
from array import array
from collections.abc import Iterable
from itertools import accumulate

import zstandard
from contracts.errors import Conflict


class NamesDamaged(Conflict):
    """A segment of names cannot be read."""

    def __init__(self) -> None:
        detail = "Names of this store are damaged in the index: refresh the store with `rebuild` set."
        super().__init__("names_damaged", detail)


class _ThreadLocal(threading.local):
    def __init__(self) -> None:
        self.decompressor = zstandard.ZstdDecompressor()


# One decompressor per thread: making a new one for each segment costs as much as unpacking a small segment.
_THREAD_LOCAL = _ThreadLocal()


def unpack_bytes(packed: bytes) -> bytes:
    """What was packed. Raises `NamesDamaged`."""
    try:
        return _THREAD_LOCAL.decompressor.decompress(packed)
    except zstandard.ZstdError:
        raise NamesDamaged from None


def to_bytes(numbers: "array[int]") -> bytes:
    """The bytes of an array, lowest byte first."""
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()


def uints_to_bytes(values: Iterable[int]) -> bytes:
    """Numbers of 4 bytes each."""
    return to_bytes(array("I", values))


def to_array(code: str, raw: bytes | bytearray) -> "array[int]":
    """An array of a type code out of `to_bytes`. Raises `NamesDamaged` for a part of a number."""
    numbers = array(code)
    try:
        numbers.frombytes(raw)
    except ValueError:
        raise NamesDamaged from None
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def offsets(lengths: bytes) -> "array[int]":
    """Where parts that lie one after the other begin, and where the last one ends, out of their packed lengths."""
    return array("I", accumulate(to_array("I", lengths), initial=0))


def lengths_of(ends: "array[int]", chosen: Iterable[int]) -> bytes:
    """The packed lengths of some parts, out of `offsets`."""
    return uints_to_bytes(ends[n + 1] - ends[n] for n in chosen)
