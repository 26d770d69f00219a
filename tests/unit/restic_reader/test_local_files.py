"""A repository in a directory of this machine."""

from pathlib import Path

import pytest
from integrations.fs.connection_steps import reach
from restic_reader import FileKind, Repository, seal_of
from restic_reader.errors import RootNotADirectory
from restic_reader.local_files import LocalFiles

NAMES = [f"{number:064x}" for number in range(3)]


def test_files_that_a_prune_removes_during_a_listing_are_left_out(tmp_path: Path) -> None:
    index = tmp_path / FileKind.INDEX
    index.mkdir()
    for name in NAMES:
        (index / name).write_bytes(b"index")
    listing = LocalFiles(tmp_path).list(FileKind.INDEX)
    first = next(listing)
    for name in set(NAMES) - {first.name}:
        (index / name).unlink()
    assert list(listing) == []


def test_what_is_no_directory_is_told_in_the_words_of_the_test(tmp_path: Path) -> None:
    plain, dangling = tmp_path / "plain", tmp_path / "dangling"
    plain.write_bytes(b"not a store")
    dangling.symlink_to(tmp_path / "nothing")
    for root in (plain, dangling):
        with pytest.raises(RootNotADirectory) as tested:
            reach(root, may_be_made=True)
        for ask in (seal_of, lambda files: Repository.open(files, "any")):
            with pytest.raises(RootNotADirectory) as told:
                ask(LocalFiles(root))
            assert (told.value.code, told.value.detail) == (tested.value.code, tested.value.detail)
            assert told.value.code == "not_a_directory"
