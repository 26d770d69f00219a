"""How a backup that lacks files describes them."""

import pytest
from connector.domain.attempts import MadeSnapshot
from connector.domain.unreadable import incomplete
from contracts.task_types.backup import BackupResult


@pytest.mark.parametrize(
    ("named", "count", "words"),
    [
        (("/a (denied)",), 1, "1 file or directory could not be read: /a (denied). "),
        (("/a (x)", "/b (y)"), 9, "9 files or directories could not be read: /a (x), /b (y) and 7 more. "),
    ],
)
def test_an_incomplete_backup_names_what_is_missing(named: tuple[str, ...], count: int, words: str) -> None:
    summary = BackupResult(snapshot_id="s")

    error = incomplete(MadeSnapshot(summary=summary, unreadable=named, unreadable_count=count))

    assert error is not None
    assert error.detail.startswith(words)
    assert incomplete(MadeSnapshot(summary=summary)) is None
