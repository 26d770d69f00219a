"""Renaming a file where nothing has its new name."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from integrations.fs.exclusive_rename import rename_unless_there


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "old").write_bytes(b"old")
    held = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield held
    os.close(held)


def test_a_file_gets_a_name_that_is_free(directory: int, tmp_path: Path) -> None:
    assert rename_unless_there(b"old", b"n\xffw", directory) is False
    assert [os.fsencode(path.name) for path in tmp_path.iterdir()] == [b"n\xffw"]


def test_what_has_the_name_keeps_it(directory: int, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")

    assert rename_unless_there(b"old", b"link", directory) is True
    assert {path.name for path in tmp_path.iterdir()} == {"old", "link"}


def test_a_file_that_is_gone_cannot_be_renamed(directory: int) -> None:
    with pytest.raises(FileNotFoundError):
        rename_unless_there(b"other", b"new", directory)
