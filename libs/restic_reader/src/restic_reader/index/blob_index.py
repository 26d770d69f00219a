"""All blobs of a repository at one moment."""

from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from restic_reader.crypto import OVERHEAD
from restic_reader.index.table import ID_BYTES, RECORD, TREE, Table, note_tree_ends


class Location(NamedTuple):
    """Where one copy of a blob lies, and how long it is there and once it is opened (bytes)."""

    pack: str
    offset: int
    length: int
    plain_length: int
    compressed: bool
    tree: bool

    @property
    def end(self) -> int:
        """The first byte of the pack after this blob."""
        return self.offset + self.length


class Part:
    """A table as far as it still holds: what came from index files that are gone is left out."""

    def __init__(self, table: Table, files: frozenset[str]) -> None:
        """`files` are those of the table's index files that count."""
        names = table.names
        self.table, self.files = table, files
        self._tree_ends: array[int] | None = None
        alive = [name in files for name in names.files]
        self.dead = None if all(alive) else bytes(not alive[number] for number in names.pack_files)
        self._blobs = sum(count for count, is_alive in zip(names.blobs, alive, strict=True) if is_alive)

    def __len__(self) -> int:
        return self._blobs

    def locations(self, blob_id: bytes) -> Iterator[Location]:
        """Every copy of a blob that this part tells of. Raises `Unusable`."""
        for record in self.table.find(blob_id):
            _, number, offset, length, uncompressed = RECORD.unpack(record)
            pack = number & ~TREE
            if self.dead is None or not self.dead[pack]:
                yield Location(
                    self.table.names.packs[pack * ID_BYTES : (pack + 1) * ID_BYTES].hex(),
                    offset,
                    length,
                    # Stored as it is, a blob is longer by nothing but its seal.
                    uncompressed or length - OVERHEAD,
                    uncompressed > 0,
                    number >= TREE,
                )

    def packs(self) -> Iterator[bytes]:
        """The names of all packs that this part tells of."""
        for _, pack in self._numbered():
            yield pack

    def short_of_trees(self, sizes: Mapping[bytes, int]) -> Iterator[bytes]:
        """The packs that end before a tree which this part tells of in them; one without a size is empty.

        All of it is read the first time. Raises `Unusable`.
        """
        ends = self._tree_ends = self._tree_ends or self._ends()
        return (pack for number, pack in self._numbered() if ends[number] > sizes.get(pack, 0))

    def _ends(self) -> "array[int]":
        """Where the last tree of each pack ends, by its number: 8 bytes for a pack."""
        ends: array[int] = array("Q", bytes(8 * len(self.table.names.pack_files)))
        for piece in self.table.pieces():
            note_tree_ends(piece, ends)
        return ends

    def _numbered(self) -> Iterator[tuple[int, bytes]]:
        names = self.table.names.packs
        for number in range(len(names) // ID_BYTES):
            if self.dead is None or not self.dead[number]:
                yield number, names[number * ID_BYTES : (number + 1) * ID_BYTES]


class BlobIndex:
    """Parts that complete each other, the largest first; replaced and never changed, so that reading needs no lock."""

    def __init__(self, parts: Iterable[Part] = ()) -> None:
        # Most blobs are in the largest, so that few searches go on to the next.
        self.parts = tuple(sorted(parts, key=len, reverse=True))
        self.files = frozenset[str]().union(*(part.files for part in self.parts))

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    @property
    def is_sound(self) -> bool:
        """Whether all tables were found as they were written, so far."""
        return all(part.table.is_sound for part in self.parts)

    def locations(self, blob_id: bytes) -> Iterator[Location]:
        """Every known copy of a blob; nothing for one that is not known. Raises `Unusable`."""
        for part in self.parts:
            yield from part.locations(blob_id)

    def packs(self) -> Iterator[bytes]:
        """The names (32 bytes) of all packs; one may come more than once."""
        for part in self.parts:
            yield from part.packs()

    def short_of_trees(self, sizes: Mapping[bytes, int]) -> set[bytes]:
        """The packs that end before a tree in them, by the sizes (bytes) of those there are.

        Raises `Unusable`.
        """
        return {pack for part in self.parts for pack in part.short_of_trees(sizes)}
