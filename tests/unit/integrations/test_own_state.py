"""What is Cairn's own, and no longer is."""

import os
from pathlib import Path

import pytest
from connector.programs import open_program
from integrations.fs.exclusions import guarded, is_still_guarded, is_surely_own
from integrations.sdk.environment import WorkerEnvironment


@pytest.fixture
def environment(tmp_path: Path) -> WorkerEnvironment:
    (tmp_path / "work" / "sources" / "app").mkdir(parents=True)
    (tmp_path / "work" / "sources" / "app" / "file").touch()
    (tmp_path / "user").mkdir()
    return WorkerEnvironment(open_program=open_program, rclone="rclone", work_dir=tmp_path / "work")


def test_only_what_is_there_by_now_stays_guarded(tmp_path: Path, environment: WorkerEnvironment) -> None:
    since = guarded(environment).looked_at

    def stays(path: Path) -> bool:
        return is_still_guarded(path.lstat(), environment=environment, since=since)

    assert stays(tmp_path / "work" / "sources")
    assert not stays(tmp_path / "user")


def test_an_older_file_may_be_another_name_of_a_key(tmp_path: Path, environment: WorkerEnvironment) -> None:
    old, new = tmp_path / "user" / "old", tmp_path / "user" / "new"
    for file in (old, new):
        file.touch()
    since = guarded(environment).looked_at
    os.utime(old, ns=(since - 1, since - 1))
    os.utime(new, ns=(since + 1, since + 1))

    assert is_still_guarded(old.lstat(), environment=environment, since=since)
    assert not is_surely_own(old.lstat(), environment=environment)
    assert is_surely_own((tmp_path / "work" / "sources").lstat(), environment=environment)
    assert not is_still_guarded(new.lstat(), environment=environment, since=since)
