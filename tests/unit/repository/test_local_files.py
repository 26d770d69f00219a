"""A repository in a directory of this machine."""

from pathlib import Path

from connector.repository import FileKind
from connector.repository.local_files import LocalFiles

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
