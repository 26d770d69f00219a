"""Loads the index: reads the index files that are new, and drops what came from those that are gone."""

import logging
from collections.abc import Callable, Mapping

from restic_reader.crypto import Box
from restic_reader.errors import Damaged, FileMissing
from restic_reader.index.blob_index import BlobIndex, Part
from restic_reader.index.index_files import IndexFiles
from restic_reader.index.table import Table, Unusable
from restic_reader.index.table_builder import TableBuilder, Uneven
from restic_reader.index.table_cache import TableCache
from restic_reader.index.table_choice import chosen_parts, covered, parts_to_merge
from restic_reader.limits import DEFAULT_LIMITS, IndexLimits
from restic_reader.storage import FileKind, RepositoryFiles, StoredFile

log = logging.getLogger(__name__)
_ATTEMPTS = 3
_MENDED_MOST = 3

Fill = Callable[[TableBuilder], None]


class IndexLoader:
    """Reads the index files of one repository. Use it from one thread at a time."""

    def __init__(
        self, files: RepositoryFiles, box: Box, cache: TableCache | None, *, limits: IndexLimits = DEFAULT_LIMITS.index
    ) -> None:
        """Tables are kept in the cache; without one, and where it cannot be written to, in memory."""
        self._files = files
        self._index_files = IndexFiles(files, box, limits)
        self._limits = limits
        self._cache = cache
        self._mended = 0
        self._unreadable: dict[str, Damaged] = {}

    @property
    def unreadable(self) -> list[Damaged]:
        """What is wrong with the index files that could not be read the last time."""
        return list(self._unreadable.values())

    def load(self, known: BlobIndex) -> BlobIndex:
        """The index as the repository has it now, `known` itself when nothing changed.

        Index files that `known` or the cache tells of are not read again; a table that turned out to be damaged is
        rebuilt. Index files that are damaged are left out and tried again the next time, see `unreadable`. Raises
        `FileMissing` for one that is listed and not there.
        """
        self._unreadable = {}
        gone: FileMissing | None = None
        # A prune replaces index files at any time, also between our listing and our reading: then list again.
        for _ in range(_ATTEMPTS):
            self._drop_damaged(known)
            listed = {stored.name: stored for stored in self._files.list(FileKind.INDEX)}
            if known.is_sound and known.files == listed.keys():
                return known
            known, gone = self._brought_up(known, listed)
            if gone is None and known.is_sound:
                if self._unreadable:
                    log.warning("index files are damaged", extra={"files": sorted(self._unreadable)})
                return known
        if gone:  # and listed each time
            raise gone
        return known

    def _drop_damaged(self, known: BlobIndex) -> None:
        damaged = [part.table for part in known.parts if not part.table.is_sound]
        for table in damaged:
            log.warning("a table of blobs was damaged and is made anew", extra={"table": table.name})
            if self._cache:
                self._cache.drop(table.name)
        self._mended += bool(damaged)
        # A disk that keeps damaging tables is not worth writing to: keep them in memory from now on.
        if self._mended > _MENDED_MOST:
            self._cache = None

    def _brought_up(self, known: BlobIndex, listed: Mapping[str, StoredFile]) -> tuple[BlobIndex, FileMissing | None]:
        """The index of all that could be read, and the first file that was gone before it could be."""
        cache = self._prepared_cache()
        tables = {part.table.name: part.table for part in known.parts if part.table.is_sound}
        filed = cache.tables(known=tables.keys()) if cache else ()
        parts = chosen_parts([*tables.values(), *filed], listed.keys())
        new = [listed[name] for name in sorted(listed.keys() - covered(parts))]
        made, gone = self._made(cache, new)
        parts = self._merged(cache, parts + made)
        if cache:
            cache.keep_only({part.table.name for part in parts})
        return BlobIndex(parts), gone[0] if gone else None

    def _made(self, cache: TableCache | None, new: list[StoredFile]) -> tuple[list[Part], list[FileMissing]]:
        """What new index files tell, as one part or none; and those that were gone."""
        gone: list[FileMissing] = []

        def fill(builder: TableBuilder) -> None:
            sound = [stored for stored in new if stored.name not in self._unreadable]
            gone[:] = self._add_files(builder, sound)

        while new:
            try:
                return self._built(cache, fill), gone
            except _Spoilt:
                continue
        return [], gone

    def _prepared_cache(self) -> TableCache | None:
        try:
            if self._cache:
                self._cache.prepare()
        except OSError as error:
            _log_no_cache(error)
            return None
        return self._cache

    def _merged(self, cache: TableCache | None, parts: list[Part]) -> list[Part]:
        pile = parts_to_merge(parts)
        if not pile:
            return parts

        def fill(builder: TableBuilder) -> None:
            for part in pile:
                builder.add_part(part)

        try:
            return [part for part in parts if part not in pile] + _parts(self._filled(fill, cache))
        except Unusable:  # the next attempt makes it anew
            return parts
        except OSError as error:
            log.warning("tables of blobs are not put together", extra={"reason": _reason(error)})
            return parts

    def _built(self, cache: TableCache | None, fill: Fill) -> list[Part]:
        """What `fill` puts into a builder, as one part or none. In the cache where that goes, else in memory."""
        try:
            if cache:
                return _parts(self._filled(fill, cache))
        except OSError as error:
            _log_no_cache(error)
        return _parts(self._filled(fill, None))

    def _filled(self, fill: Fill, cache: TableCache | None) -> Table:
        try:
            with TableBuilder(cache.directory if cache else None, self._limits) as builder:
                fill(builder)
                return cache.put(builder) if cache else builder.held()
        except Uneven as error:
            raise _damaged("", str(error)) from error

    def _add_files(self, builder: TableBuilder, new: list[StoredFile]) -> list[FileMissing]:
        gone = []
        for name, read in self._index_files.read(new, directory=builder.directory):
            taken = builder.size
            try:
                builder.add_file(name, read())
            except FileMissing as error:
                gone.append(error)
            except Damaged as error:
                self._unreadable[name] = error
            except (ValueError, OverflowError):
                self._unreadable[name] = _damaged(name, "it has ids or numbers that no repository has")
            # What the builder took cannot be taken out again: the caller begins anew without this file.
            if name in self._unreadable and builder.size != taken:
                raise _Spoilt
        return gone


class _Spoilt(Exception):
    """A builder has taken in a part of an index file that turned out to be damaged."""


def _parts(table: Table) -> list[Part]:
    return [Part(table, frozenset(table.names.files))] if table.names.files else []


def _damaged(name: str, why: str) -> Damaged:
    return Damaged(FileKind.INDEX.word, name, why=why)


def _log_no_cache(error: OSError) -> None:
    log.warning("tables of blobs are kept in memory", extra={"reason": _reason(error)})


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
