"""Types, modes, sizes and times of the entries of a name segment, laid out so that they pack well."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, compress

from restore_index.domain.entries import Entry
from restore_index.domain.packed_numbers import NamesDamaged, to_array, to_bytes, unpack_bytes

TYPES = ("file", "dir", "symlink", "dev", "chardev", "fifo", "socket", "irregular")
"""Types by their code; what is of no type known is irregular."""
_CODES = {name: code for code, name in enumerate(TYPES)}
_IRREGULAR, SYMLINK = _CODES["irregular"], _CODES["symlink"]
_LARGEST_SIZE = 2**64 - 1
_NUMBERS_BYTES = 4 + 8 + 8


@dataclass(frozen=True)
class Columns:
    """What is known of each entry beside its name: type code, mode, size in bytes, time in milliseconds."""

    types: bytes
    modes: "array[int]"
    sizes: "array[int]"
    mtimes: "array[int]"


def columns_of(entries: Sequence[Entry]) -> Columns:
    """The columns of some entries; what does not fit into a column becomes the nearest that does."""
    types = bytes([_CODES.get(entry.type, _IRREGULAR) for entry in entries])
    # Milliseconds are what answers show; finer digits are as good as random and would not pack.
    mtimes = array("q", [entry.mtime_ns // 1_000_000 for entry in entries])
    try:
        modes, sizes = array("I", [entry.mode for entry in entries]), array("Q", [entry.size for entry in entries])
    except OverflowError:
        # Checking each number beforehand would cost as much as all the rest, for numbers that no file system has.
        modes = array("I", [entry.mode & 0xFFFFFFFF for entry in entries])
        sizes = array("Q", [min(max(entry.size, 0), _LARGEST_SIZE) for entry in entries])
    return Columns(types, modes, sizes, mtimes)


def select_rows(columns: Columns, chosen: Iterable[int]) -> Columns:
    """The rows for which `chosen` has a 1."""
    rows = bytes(chosen)
    return Columns(
        bytes(compress(columns.types, rows)),
        array("I", compress(columns.modes, rows)),
        array("Q", compress(columns.sizes, rows)),
        array("q", compress(columns.mtimes, rows)),
    )


def join_columns(several: Sequence[Columns]) -> Columns:
    """All rows, one after the other."""
    return Columns(
        b"".join(each.types for each in several),
        array("I", chain.from_iterable(each.modes for each in several)),
        array("Q", chain.from_iterable(each.sizes for each in several)),
        array("q", chain.from_iterable(each.mtimes for each in several)),
    )


def interleave(columns: Columns) -> bytes:
    """The types, then of each column of numbers all lowest bytes, all second lowest ones and so on.

    The high bytes of sizes and times are nearly all equal: side by side they pack to almost nothing.
    """
    planes = [columns.types]
    for column in (columns.modes, columns.sizes, columns.mtimes):
        raw = to_bytes(column)
        planes += [raw[place :: column.itemsize] for place in range(column.itemsize)]
    return b"".join(planes)


def unpack_columns(packed: bytes) -> Columns:
    """The columns out of packed `interleave`. Raises `NamesDamaged`."""
    raw = unpack_bytes(packed)
    count, rest = divmod(len(raw), 1 + _NUMBERS_BYTES)
    if rest:
        raise NamesDamaged
    planes = (
        [raw[start : start + count] for start in range(count, len(raw), count)] if count else [b""] * _NUMBERS_BYTES
    )
    return Columns(raw[:count], _weave("I", planes[:4]), _weave("Q", planes[4:12]), _weave("q", planes[12:]))


def _weave(code: str, planes: Sequence[bytes]) -> "array[int]":
    raw = bytearray(len(planes) * len(planes[0]))
    for place, plane in enumerate(planes):
        raw[place :: len(planes)] = plane
    return to_array(code, raw)
