"""What is Cairn's own, and no longer is."""

import os
from pathlib import Path

import pytest
from connector.integrations.fs.leaving_out import guarded, is_still_guarded, is_surely_own
from connector.integrations.surroundings import Surroundings


@pytest.fixture
def surroundings(tmp_path: Path) -> Surroundings:
    (tmp_path / "work" / "sources" / "app").mkdir(parents=True)
    (tmp_path / "work" / "sources" / "app" / "file").touch()
    (tmp_path / "user").mkdir()
    return Surroundings(rclone="rclone", work_dir=tmp_path / "work")


def test_only_what_is_there_by_now_stays_guarded(tmp_path: Path, surroundings: Surroundings) -> None:
    since = guarded(surroundings).looked_at

    def stays(path: Path) -> bool:
        return is_still_guarded(path.lstat(), surroundings=surroundings, since=since)

    assert stays(tmp_path / "work" / "sources")
    assert not stays(tmp_path / "user")


def test_an_older_file_may_be_another_name_of_a_key(tmp_path: Path, surroundings: Surroundings) -> None:
    old, new = tmp_path / "user" / "old", tmp_path / "user" / "new"
    for file in (old, new):
        file.touch()
    since = guarded(surroundings).looked_at
    os.utime(old, ns=(since - 1, since - 1))
    os.utime(new, ns=(since + 1, since + 1))

    assert is_still_guarded(old.lstat(), surroundings=surroundings, since=since)
    assert not is_surely_own(old.lstat(), surroundings=surroundings)
    assert is_surely_own((tmp_path / "work" / "sources").lstat(), surroundings=surroundings)
    assert not is_still_guarded(new.lstat(), surroundings=surroundings, since=since)
