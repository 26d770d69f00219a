"""Where tables are kept between one opening and the next. Whatever lies there may vanish at any time."""

import logging
import os
import stat
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from restic_reader.index.table import Table, Unusable
from restic_reader.index.table_builder import TableBuilder
from restic_reader.index.table_file import finish_file, open_file, read_file
from restic_reader.limits import DEFAULT_LIMITS, IndexLimits

log = logging.getLogger(__name__)
_SUFFIX, _UNFINISHED = ".blobs", ".unfinished"
_ABANDONED_SECONDS = 3600


class TableCache:
    """A private directory with the tables of one repository, shared by any number of processes."""

    def __init__(self, directory: Path, *, scope: str, limits: IndexLimits = DEFAULT_LIMITS.index) -> None:
        """`scope` is the repository's id: tables of another one do not open."""
        self.directory = directory
        self._scope = scope
        self._held_bytes = limits.table_bytes

    def prepare(self) -> None:
        """Makes the directory, for its owner only. Raises `OSError`, also where it is somebody else's."""
        for place in (*reversed(self.directory.parents), self.directory):
            if not place.exists():
                place.mkdir(mode=0o700, exist_ok=True)
        found = self.directory.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise PermissionError(f"{self.directory} is not a directory of this user")
        self.directory.chmod(0o700)

    def tables(self, *, known: Collection[str]) -> Iterator[Table]:
        """All tables that can be used but those whose names are known; what cannot be used is removed."""
        for path in self._paths():
            if path.suffix == _SUFFIX and path.stem not in known:
                try:
                    yield open_file(path, scope=self._scope, held_bytes=self._held_bytes)
                except (Unusable, OSError):
                    _remove(path)

    def put(self, builder: TableBuilder) -> Table:
        """The table that a builder made, written here. Raises `OSError` where it cannot be written, and `Uneven`.

        Where the directory vanishes meanwhile the table lives on without a name.
        """
        descriptor, unfinished = tempfile.mkstemp(suffix=_UNFINISHED, dir=self.directory)
        try:
            table = self._written(descriptor, builder)
            with suppress(OSError):
                # In one step, so that other processes never open half a table.
                Path(unfinished).replace(self._path(table.name))
        finally:
            _remove(Path(unfinished))
        return table

    def drop(self, name: str) -> None:
        """Removes one table; a process that has it open reads on."""
        _remove(self._path(name))

    def keep_only(self, names: set[str]) -> None:
        """Removes all other tables, and what killed processes left unfinished."""
        for path in self._paths():
            # A young unfinished table may be one that another process is writing now.
            is_other = path.suffix == _SUFFIX and path.stem not in names
            if is_other or (path.suffix == _UNFINISHED and _age_seconds(path) > _ABANDONED_SECONDS):
                _remove(path)

    def _written(self, descriptor: int, builder: TableBuilder) -> Table:
        with open(descriptor, "w+b") as file:
            fences, names = builder.write(file)
            finish_file(file, fences, names, scope=self._scope)
            return read_file(os.dup(descriptor), scope=self._scope, held_bytes=self._held_bytes)

    def _path(self, name: str) -> Path:
        return self.directory / f"{name}{_SUFFIX}"

    def _paths(self) -> list[Path]:
        with suppress(OSError):
            return list(self.directory.iterdir())
        return []


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _age_seconds(path: Path) -> float:
    with suppress(OSError):
        return time.time() - path.stat().st_mtime
    return 0
