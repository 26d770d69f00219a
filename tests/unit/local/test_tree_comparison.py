import os
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cairn_local.demo.tree_comparison import TreeComparison, compare_trees

FUTURE_NS = time.time_ns() * 2


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    """A source and what was restored of it, alike but for what is ignored."""
    source, restored = tmp_path / "source", tmp_path / "restored"
    (source / "docs").mkdir(parents=True)
    (source / "a.txt").write_text("content")
    (source / "docs" / "b.txt").write_text("more")
    (source / "link").symlink_to("a.txt")
    shutil.copytree(source, restored, symlinks=True)
    for path in ("docs", "link"):
        facts = (source / path).lstat()
        os.utime(restored / path, ns=(facts.st_atime_ns, facts.st_mtime_ns), follow_symlinks=False)
    (source / ".git").mkdir()
    return source, restored


def compared(trees: tuple[Path, Path], *, since_ns: int = FUTURE_NS) -> TreeComparison:
    return compare_trees(*trees, ignores={".git"}, since_ns=since_ns)


def test_equal_trees_are_counted_by_kind(trees: tuple[Path, Path]) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(trees[0] / "socket"))
        result = compared(trees)
    assert result.different == []
    assert dict(result.equal) == {"files": 2, "directories": 1, "symbolic links": 1}


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda root: (root / "docs" / "b.txt").unlink(), "docs/b.txt is missing"),
        (lambda root: (root / "docs").chmod(0o700), "docs has the mode drwx------, not drwxr-xr-x"),
        (lambda root: os.utime(root / "a.txt", ns=(0, 1)), "a.txt has another time"),
        (lambda root: (root / "a.txt").write_text("CONTENT"), "a.txt has another time, has other content"),
        (lambda root: _relink(root / "link", "docs"), "link has another time, leads elsewhere"),
        (lambda root: (root / "new").touch(), "new is not in the source"),
    ],
)
def test_each_property_that_differs_is_told(
    trees: tuple[Path, Path], spoil: Callable[[Path], object], told: str
) -> None:
    spoil(trees[1])
    assert told in compared(trees).different


def test_what_the_source_changed_since_the_backup_is_counted_only(trees: tuple[Path, Path]) -> None:
    (trees[1] / "a.txt").chmod(0o600)
    (trees[1] / "new").touch()
    result = compared(trees, since_ns=0)
    assert (result.different, result.changed) == ([], 2)
    assert result.in_words().endswith("equal; 2 changed at the source meanwhile")


def _relink(link: Path, target: str) -> None:
    link.unlink()
    link.symlink_to(target)
