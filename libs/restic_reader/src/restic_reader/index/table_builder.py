"""Builds a table in bounded memory: sorted runs are put aside, then merged slice by slice of the leading byte."""

import io
import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import compress
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

from restic_reader.crypto import OVERHEAD
from restic_reader.index.blob_index import Part
from restic_reader.index.table import BLOCK_BYTES, ID_BYTES, RECORD, TREE, Fences, Held, Names, Table
from restic_reader.limits import DEFAULT_LIMITS, IndexLimits
from restic_reader.structs import IndexPack

_SIZE = RECORD.size
_SLICES = 256
# Times the average of a slice. Hashes never come near, so that what does was made up to fill memory.
_UNEVEN = 8
_IDS, _NUMBERS, _PACK = ID_BYTES // 8, _SIZE // 4, ID_BYTES // 4


class Uneven(ValueError):
    """The ids are not spread as hashes are, so a table of them cannot be sorted in bounded memory."""


class TableBuilder:
    """Takes blobs in any order. What is put aside lies in a nameless file of `directory`, or in memory without one."""

    def __init__(self, directory: Path | None, limits: IndexLimits = DEFAULT_LIMITS.index) -> None:
        self.directory = directory
        self._runs = _Runs(directory, limits)
        self._packs = bytearray()
        self._pack_files: array[int] = array("I")
        self._files: list[str] = []
        self._blobs: array[int] = array("Q")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._runs.close()

    @property
    def files(self) -> tuple[str, ...]:
        """The index files whose blobs were taken."""
        return tuple(self._files)

    @property
    def size(self) -> int:
        """How many packs it has taken in."""
        return len(self._pack_files)

    def add_file(self, name: str, batches: Iterable[list[IndexPack]]) -> None:
        """The blobs of one index file. Raises `ValueError` or `OverflowError` for what no repository has.

        When it raises, whatever `batches` raises too, after a first batch, the builder cannot be used any more.
        """
        count = 0
        for batch in batches:
            packs = [pack for pack in batch if pack.blobs]
            records = _records(packs, first_pack=len(self._pack_files))
            self._packs += _joined([pack.id for pack in packs])
            self._pack_files.extend([len(self._files)] * len(packs))
            self._runs.add(records)
            count += len(records) // _SIZE
        self._files.append(name)
        self._blobs.append(count)

    def add_part(self, part: Part) -> None:
        """What holds of another table. Raises `Unusable`; then the builder cannot be used any more."""
        names = part.table.names
        file_numbers = self._take_files(part)
        renumbered: array[int] = array("I", bytes(4 * len(names.pack_files)))
        for number, file in enumerate(names.pack_files):
            if file in file_numbers:
                renumbered[number] = len(self._pack_files)
                self._pack_files.append(file_numbers[file])
                self._packs += names.packs[number * ID_BYTES : (number + 1) * ID_BYTES]
        for piece in part.table.pieces():
            self._runs.add(*_renumbered(bytearray(piece), renumbered, part.dead))

    def _take_files(self, part: Part) -> dict[int, int]:
        """The new numbers of a part's index files, by their old ones."""
        numbers = {}
        for number, (name, blobs) in enumerate(zip(part.table.names.files, part.table.names.blobs, strict=True)):
            if name in part.files:
                numbers[number] = len(self._files)
                self._files.append(name)
                self._blobs.append(blobs)
        return numbers

    def write(self, file: IO[bytes]) -> tuple[Fences, Names]:
        """Writes all records in order; what belongs to them. Raises `Uneven`, or `OSError` of the file."""
        fences = Fences(array("Q"), array("I"))
        pending = b""
        for piece in self._runs.merged():
            pending += piece
            whole = len(pending) - len(pending) % BLOCK_BYTES
            _add_blocks(fences, memoryview(pending)[:whole])
            file.write(memoryview(pending)[:whole])
            pending = pending[whole:]
        _add_blocks(fences, memoryview(pending))
        file.write(pending)
        return fences, Names(bytes(self._packs), self._pack_files, self.files, self._blobs)

    def held(self) -> Table:
        """The table in memory. Raises `Uneven`."""
        file = io.BytesIO()
        fences, names = self.write(file)
        return Table(Held(file.getvalue()), fences.starts, names)


class _Runs:
    """Records put aside in sorted runs."""

    def __init__(self, directory: Path | None, limits: IndexLimits) -> None:
        self._limits = limits
        self._buffer: list[str] = []
        self._cuts: list[list[int]] = []
        self._count = 0
        self._file = scratch_file(directory, held_bytes=limits.table_bytes)

    def add(self, records: bytes | bytearray, wanted: Iterable[bool] | None = None) -> None:
        each = _cut(records)
        if wanted is not None:
            each = list(compress(each, wanted))
        size = self._limits.run_records
        for start in range(0, len(each), size):
            self._buffer += each[start : start + size]
            if len(self._buffer) >= size:
                self._put_aside()

    def merged(self) -> Iterator[bytes]:
        """All records in order."""
        if not self._cuts:  # They are one run: nothing need be put aside and read again.
            yield _text(sorted(self._buffer))
            return
        self._put_aside()
        limit = max(self._limits.slice_records, _UNEVEN * self._count // _SLICES)
        for number in range(_SLICES):
            spans = [(cuts[number], cuts[number + 1]) for cuts in self._cuts]
            if sum(end - start for start, end in spans) > limit:
                raise Uneven("the ids are not spread as hashes are")
            yield _text(sorted(self._read(spans)))

    def close(self) -> None:
        self._file.close()

    def _put_aside(self) -> None:
        run, self._buffer = sorted(self._buffer), []
        borders = [bisect_left(run, chr(byte)) for byte in range(_SLICES)]
        self._cuts.append([self._count + border for border in (*borders, len(run))])
        self._count += len(run)
        self._file.write(_text(run))

    def _read(self, spans: list[tuple[int, int]]) -> list[str]:
        records: list[str] = []
        for start, end in spans:
            self._file.seek(start * _SIZE)
            records += _cut(self._file.read((end - start) * _SIZE))
        return records


def scratch_file(directory: Path | None, *, held_bytes: int) -> IO[bytes]:
    """An empty file without a name in a directory, made once it holds more than so many bytes; else in memory."""
    if directory is None:
        return io.BytesIO()
    return cast(IO[bytes], tempfile.SpooledTemporaryFile(held_bytes, dir=str(directory)))


def _cut(records: bytes | bytearray) -> list[str]:
    # Text of one byte a sign is the fastest that Python sorts; Latin-1 keeps the order of the bytes.
    text = str(records, "latin-1")
    return [text[at : at + _SIZE] for at in range(0, len(text), _SIZE)]


def _text(records: list[str]) -> bytes:
    return "".join(records).encode("latin-1")


def _add_blocks(fences: Fences, records: memoryview) -> None:
    for at in range(0, len(records), BLOCK_BYTES):
        fences.add(records[at : at + BLOCK_BYTES])


def _records(packs: list[IndexPack], *, first_pack: int) -> bytes:
    """Records of all blobs of these packs."""
    # Filled column by column: so many calls, whatever the number of blobs.
    blobs = [blob for pack in packs for blob in pack.blobs or ()]
    records = bytearray(_SIZE * len(blobs))
    _fill_ids(memoryview(records).cast("Q"), _joined([blob.id for blob in blobs]))
    words = memoryview(records).cast("I")
    words[_PACK::_NUMBERS] = array("I", _pack_numbers(packs, first_pack))
    words[_PACK + 1 :: _NUMBERS] = array("I", [blob.offset for blob in blobs])
    words[_PACK + 2 :: _NUMBERS] = lengths = array("I", [blob.length for blob in blobs])
    words[_PACK + 3 :: _NUMBERS] = array("I", [blob.uncompressed_length for blob in blobs])
    if min(lengths, default=OVERHEAD) < OVERHEAD:
        raise ValueError("a blob is shorter than its seal")
    return bytes(records)


def _fill_ids(words: memoryview, ids: bytes) -> None:
    source = memoryview(ids).cast("Q")
    for word in range(_IDS):
        words[word :: _SIZE // 8] = source[word::_IDS]


def _pack_numbers(packs: list[IndexPack], first: int) -> list[int]:
    numbers: list[int] = []
    for number, pack in enumerate(packs, first):
        numbers += [number | TREE if blob.type == "tree" else number for blob in pack.blobs or ()]
    return numbers


def _renumbered(
    records: bytearray, numbers: "array[int]", dead: bytes | None
) -> tuple[bytearray, Iterable[bool] | None]:
    """The records with other numbers for their packs, and which of them are wanted where not all are."""
    words = memoryview(records).cast("I")
    old = words[_PACK::_NUMBERS].tolist()
    words[_PACK::_NUMBERS] = array("I", [numbers[pack & ~TREE] | (pack & TREE) for pack in old])
    return records, None if dead is None else [not dead[pack & ~TREE] for pack in old]


def _joined(names: list[str]) -> bytes:
    joined = bytes.fromhex("".join(names))
    if len(joined) != len(names) * ID_BYTES or not {2 * ID_BYTES}.issuperset(map(len, names)):
        raise ValueError("an id has not the length of a SHA-256")
    return joined
