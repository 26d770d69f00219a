"""SQLite in a file, shared by threads: a connection that is closed under a statement takes the whole process down."""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

Row = tuple[Any, ...]


class Database:
    """A database in a file for our own user. Its calls block, one at a time; closing waits for the one at work.

    A thread that goes on after its task was cancelled gets `sqlite3.ProgrammingError` then.
    """

    def __init__(self, file: Path) -> None:
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
        self._connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._lock = RLock()
        # Losing power costs what was kept last: what is then missing is read anew.
        self._connection.executescript(
            "PRAGMA synchronous = OFF; PRAGMA journal_mode = TRUNCATE; PRAGMA temp_store = MEMORY"
        )

    def all(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        """Every row of an answer."""
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    def first(self, statement: str, values: Sequence[Any] = ()) -> Row | None:
        """The first row of an answer, None where there is none."""
        with self._lock:
            row: Row | None = self._connection.execute(statement, values).fetchone()
            return row

    def count(self, statement: str) -> int:
        """The number that is the answer."""
        return int(self.all(statement)[0][0])

    def run(self, statement: str, values: Sequence[Any] = ()) -> None:
        """A statement without an answer."""
        with self._lock:
            self._connection.execute(statement, values)

    def run_each(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """A statement for each row, all of them or none."""
        with self.changing():
            self._connection.executemany(statement, rows)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """All that is changed in the context, or nothing of it."""
        with self._lock:
            self._connection.execute("BEGIN")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Nothing can be asked of it any more."""
        with self._lock:
            self._connection.close()
