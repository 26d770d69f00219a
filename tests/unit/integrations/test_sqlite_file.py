"""A database that several threads ask and that is closed under them."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from integrations.object_storage.sqlite_file import Database

LONG = """
WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 200000)
SELECT x, count(*) FROM n GROUP BY x % 7 ORDER BY x
"""


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "some.db")


def test_closing_waits_for_what_is_at_work(database: Database) -> None:
    """SQLite takes the process down where a connection is closed under a statement."""
    begun = [Event() for _ in range(3)]

    def ask(began: Event) -> int:
        answers = 0
        try:
            while True:
                began.set()
                answers += len(database.all(LONG)) == 7
        except sqlite3.ProgrammingError:
            return answers

    with ThreadPoolExecutor() as pool:
        asked = [pool.submit(ask, each) for each in begun]
        assert all(each.wait(30) for each in begun)
        database.close()
        assert all(each.result() >= 0 for each in asked)


def test_rows_are_taken_in_together_or_not_at_all(database: Database) -> None:
    database.run("CREATE TABLE t (x INTEGER PRIMARY KEY)")
    with pytest.raises(sqlite3.IntegrityError):
        database.run_each("INSERT INTO t VALUES (?)", [(1,), (2,), (1,)])
    database.run_each("INSERT INTO t VALUES (?)", [(3,)])

    assert database.all("SELECT x FROM t") == [(3,)]
    assert database.count("SELECT count(*) FROM t") == 1


def test_a_file_is_for_its_own_user(tmp_path: Path) -> None:
    Database(tmp_path / "own.db").close()

    assert (tmp_path / "own.db").stat().st_mode & 0o777 == 0o600
