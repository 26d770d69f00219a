"""Blobs by their ids: found, read, authenticated, expanded and compared with their id before anyone sees a byte."""

import hashlib
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TypeVar

from restic_reader.blob_runs import Wanted
from restic_reader.byte_cache import ByteCache
from restic_reader.crypto import Box
from restic_reader.errors import BlobMissing, Damaged, FileMissing, ThawRequired
from restic_reader.index import BlobIndex, IndexLoader, Location, TableCache, Unusable
from restic_reader.limits import DEFAULT_LIMITS, IndexLimits
from restic_reader.sealed_blobs import SealedBlob, read_pack, read_sealed_run
from restic_reader.spill_file import SpilledBlob, damaged_blob
from restic_reader.storage import FileKind, RepositoryFiles, is_storage_name
from restic_reader.unsealing import BlobInvalid, Unsealing

T = TypeVar("T")


class Blobs:
    """All blobs of one repository. Safe to use from any thread."""

    def __init__(
        self,
        files: RepositoryFiles,
        box: Box,
        *,
        cache_bytes: int,
        tables: TableCache | None = None,
        limits: IndexLimits = DEFAULT_LIMITS.index,
    ) -> None:
        """`cache_bytes` bounds the contents kept in memory; `tables` is where the index is kept on the disk."""
        self._files = files
        self._box = box
        self._unsealing = Unsealing(box.keys)
        self._cache: ByteCache[bytes] = ByteCache(cache_bytes)
        self._loader = IndexLoader(files, box, tables, limits=limits)
        self._index = BlobIndex()
        self._refreshing = threading.Lock()

    @property
    def index(self) -> BlobIndex:
        """The index as it was last loaded."""
        return self._index

    def refresh(self, *, seen: BlobIndex | None = None) -> None:
        """Loads what changed in the index files; does nothing when `seen` was replaced in the meantime."""
        with self._refreshing:
            if seen is None or seen is self._index:
                self._index = self._loader.load(self._index)

    def doubtful_packs(self) -> frozenset[bytes]:
        """Packs that are gone or end before the last tree in them, and those that are in no index file.

        The index is brought up first: a prune takes packs out of it, and a backup adds some.
        """
        there = self.packs()
        self.refresh()
        index = self._index
        while True:
            indexed = set(index.packs())
            try:
                # All tables are read here: one that turns out to be damaged is rebuilt by the refresh.
                return frozenset(index.short_of_trees(there) | (there.keys() - indexed))
            except Unusable:
                self.refresh(seen=index)
                index = self._index

    def packs(self) -> dict[bytes, int]:
        """The names of all packs that are there, and their sizes; what has no known size may be of any."""
        listed = self._files.list(FileKind.PACK)
        return {bytes.fromhex(name): size if size >= 0 else sys.maxsize for name, size in listed}

    def locate(self, blob_id: str) -> Location:
        """Where a blob lies; looks for new index files once before it raises `BlobMissing`."""
        index, key = self._index, binary_id(blob_id)
        found = self._found(index, key, most=1)
        if not found:
            self.refresh(seen=index)
            found = self._found(self._index, key, most=1)
        if not found:
            raise BlobMissing(blob_id, unreadable=self._loader.unreadable)
        return found[0]

    def locations(self, index: BlobIndex, blob_id: str, *, most: int | None = None) -> list[Location]:
        """Where up to so many copies of a blob lie, as this index has it; none for one that it does not know."""
        return self._found(index, binary_id(blob_id), most=most)

    def load(self, blob_id: str, *, keep: bool = True) -> bytes:
        """A blob's content, kept in memory for the next time if there is room and `keep` says so.

        Where one copy is damaged, gone or in an archive the next is tried, then the index is refreshed once. Raises
        `BlobMissing`, or when no copy can be read `ThawRequired` or `Damaged`.
        """
        content = self._cache.get(blob_id)
        if content is None:
            content = self._load_now(blob_id)
            if keep:
                self._cache.put(blob_id, content, size_bytes=len(content))
        return content

    def load_run(self, run: list[Wanted]) -> list[bytes]:
        """The contents of blobs of one pack, given in ascending order of offset, with one read for all of them.

        Raises as `load` does. Nothing is kept in memory.
        """
        cached = [self._cache.get(wanted.blob_id) for wanted in run]
        if None not in cached:
            return [content for content in cached if content is not None]
        first, last = run[0].location, run[-1].location
        try:
            data = memoryview(read_pack(self._files, first.pack, offset=first.offset, length=last.end - first.offset))
        except (Damaged, ThawRequired):
            # Each blob may have a copy in another pack.
            return [self._load_now(wanted.blob_id) for wanted in run]
        return [self._opened_or_loaded(wanted, data, base=first.offset) for wanted in run]

    def sealed_run(self, run: list[Wanted]) -> list[SealedBlob]:
        """The blobs of a run as they are stored; see `read_sealed_run`."""
        return read_sealed_run(self._files, run)

    def _opened_or_loaded(self, wanted: Wanted, data: memoryview, *, base: int) -> bytes:
        location = wanted.location
        try:
            return self._opened(wanted.blob_id, location, data[location.offset - base : location.end - base])
        except Damaged:
            return self._load_now(wanted.blob_id)

    def spill(self, blob_id: str, *, scratch: Path | None) -> SpilledBlob:
        """A blob too large for memory, sealed in a file without a name in `scratch`; raises as `load` does."""

        def copy(location: Location) -> SpilledBlob:
            return SpilledBlob.copy(blob_id, location, files=self._files, box=self._box, scratch=scratch)

        return self._from_any(blob_id, copy)

    def _load_now(self, blob_id: str) -> bytes:
        def read(location: Location) -> bytes:
            sealed = read_pack(self._files, location.pack, offset=location.offset, length=location.length)
            return self._opened(blob_id, location, sealed)

        return self._from_any(blob_id, read)

    def _from_any(self, blob_id: str, read: Callable[[Location], T]) -> T:
        """What is read from the first copy that can be read; the index is refreshed once if packs are gone."""
        index = self._index
        try:
            return self._from_known(blob_id, read)
        except FileMissing:
            self.refresh(seen=index)
            return self._from_known(blob_id, read)

    def _from_known(self, blob_id: str, read: Callable[[Location], T]) -> T:
        failures: list[Damaged | ThawRequired] = []
        for location in self._copies(blob_id):
            try:
                return read(location)
            except (Damaged, ThawRequired) as error:
                failures.append(error)
        # A thaw brings the blob back, and new index files may tell where the blobs of a missing pack are now: both
        # leave more to do than damage does.
        by_use = (ThawRequired, FileMissing, Damaged)
        raise next(each for kind in by_use for each in failures if isinstance(each, kind))

    def _copies(self, blob_id: str) -> Iterator[Location]:
        """Where copies of a blob lie, at least one; all but the first are looked up only when they are asked for."""
        first = self.locate(blob_id)
        yield first
        yield from (other for other in self._found(self._index, binary_id(blob_id)) if other != first)

    def _found(self, index: BlobIndex, key: bytes, *, most: int | None = None) -> list[Location]:
        """Up to so many locations; tables that turn out to be damaged are rebuilt."""
        while True:
            try:
                return list(islice(index.locations(key), most))
            except Unusable:
                self.refresh(seen=index)
                index = self._index

    def _opened(self, blob_id: str, location: Location, sealed: bytes | memoryview) -> bytes:
        try:
            content = self._unsealing.open(sealed, plain_length=location.plain_length, compressed=location.compressed)
        except BlobInvalid as error:
            raise damaged_blob(location, blob_id, error.why) from None
        if hashlib.sha256(content).hexdigest() != blob_id:
            raise damaged_blob(location, blob_id, "has another content than its id says")
        return content


def binary_id(blob_id: str) -> bytes:
    """The 32 bytes of a blob's id; raises `BlobMissing` for what is no id."""
    if not is_storage_name(blob_id):
        raise BlobMissing(blob_id)
    return bytes.fromhex(blob_id)
