"""What the lines mean that restic prints."""

import pytest
from connector.engine.port import Progress
from connector.engine.restic.json_lines import backup_progress, backup_summary, read_message, unreadable_path
from integrations.sdk.locations import UnreadablePath


@pytest.mark.parametrize(
    ("item", "path"),
    [("/srv/data/a/b", "/a/b"), ("a/b", "/a/b"), ("/srv/database", "/srv/database"), ("/srv/data/", "/")],
)
def test_unreadable_paths_are_told_within_the_source(item: str, path: str) -> None:
    error = {"error": {"message": f"{item}: open b: permission denied"}, "during": "archival", "item": item}

    assert unreadable_path(error, "/srv/data") == UnreadablePath(path, "permission denied")


def test_what_the_scan_could_not_read_is_told_by_the_backup_itself() -> None:
    assert unreadable_path({"error": {"message": "x"}, "during": "scan", "item": "/srv/data/a"}, "/srv/data") is None


@pytest.mark.parametrize("line", [b"", b"plain text", b"{", b"[1]", b'{"no":"type"}', b"\xff\xfe", b"null"])
def test_other_lines_are_no_messages(line: bytes) -> None:
    assert read_message(line) is None


def test_status_lines_tell_progress() -> None:
    line = b'{"message_type":"status","percent_done":1.2,"total_files":5,"files_done":4,"current_files":["/a"]}'
    message = read_message(line)

    assert message is not None
    assert backup_progress(message) == Progress(fraction=1.0, files_done=4, files_total=5, current=("/a",))


def test_bytes_added_are_those_written() -> None:
    summary = backup_summary({"snapshot_id": "1" * 64, "data_added": 100, "data_added_packed": 40})

    assert summary.bytes_added == 40
