"""Totals of directories, wherever they are kept."""

import hashlib
from pathlib import Path

import pytest
from restic_reader import Totals
from restic_reader.directory_totals import DirectoryTotals
from restic_reader.errors import BlobMissing, NoScratch

IDS = [hashlib.sha256(b"%d" % number).hexdigest() for number in range(100)]


@pytest.mark.parametrize(("in_memory", "recent"), [(1000, 1000), (1000, 7), (50, 7), (50, 1000), (0, 0)])
def test_what_was_taken_is_there(in_memory: int, recent: int, tmp_path: Path) -> None:
    told = {tree_id: Totals(number, 2 * number, 1 << 60) for number, tree_id in enumerate(IDS)}
    with DirectoryTotals(tmp_path, in_memory=in_memory, recent=recent) as totals:
        for tree_id in IDS:
            assert tree_id not in totals
            totals.take({tree_id: told[tree_id]})
            totals.take({tree_id: told[tree_id]})
            assert tree_id in totals
        assert totals.of([*IDS, "ab" * 32]) == told
        assert list(tmp_path.iterdir()) == []


def test_what_is_no_id_is_missing() -> None:
    with DirectoryTotals(None, in_memory=10) as totals, pytest.raises(BlobMissing):
        totals.of(["no id"])


def test_without_a_place_to_write_to_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with DirectoryTotals(tmp_path / "file" / "below", in_memory=1) as totals, pytest.raises(NoScratch):
        totals.take({tree_id: Totals(1, 1, 1) for tree_id in IDS})
