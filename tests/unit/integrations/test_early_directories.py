"""Directories that are made before anything is written in them."""

import os
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from integrations.fs.file_attributes import Attributes
from integrations.fs.restored_files import RestoredFiles
from integrations.sdk.ports.destination import RestoredNode
from restic_reader import Node

from tests.support.tree_properties import DEFAULT_ACL, acl


def a_directory(path: str) -> RestoredNode:
    node = Node(quoted_name=path.rpartition("/")[2], type="dir", mode=0o751 | 1 << 31, mtime="2024-02-03T04:05:06Z")
    return RestoredNode(path=path.encode(), node=node)


@contextmanager
def opened(target: Path, *, guarded: frozenset[tuple[int, int]] = frozenset()) -> Iterator[RestoredFiles]:
    held = os.open(target, os.O_PATH | os.O_DIRECTORY)
    files = RestoredFiles(
        held,
        job_id="job",
        attempt=1,
        off_limits={b"kept": "it is kept"},
        guarded=guarded,
        attributes=Attributes(is_root=False),
    )
    with closing(files):
        yield files
    os.close(held)


def below(directory: bytes) -> list[bytes]:
    return [directory, *(directory + b"/" + each for each in (b"a", b"b", b"b/c"))]


def there(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def test_they_are_new_to_who_enters_them_and_get_all_attributes(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    with opened(tmp_path) as files:
        files.prepare([b"old", b"old/new", b"new", b"new/below"])
        assert there(tmp_path) == {"old", "old/new", "new", "new/below"}
        made = [files.make_directory(a_directory(path), keep_attributes=False) for path in ("old", "old/new", "new")]
        files.finish()

    assert made == [False, True, True]
    # Nobody entered it.
    assert there(tmp_path) == {"old", "old/new", "new"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")} == {0o751}


def test_nothing_is_made_through_a_link_where_it_is_guarded_or_off_limits(tmp_path: Path) -> None:
    target, elsewhere = tmp_path / "target", tmp_path / "elsewhere"
    for each in (target, elsewhere, target / "guarded", target / "kept"):
        each.mkdir()
    (target / "link").symlink_to(elsewhere)
    (target / "file").write_bytes(b"in the way")
    found = (target / "guarded").stat()
    with opened(target, guarded=frozenset({(found.st_dev, found.st_ino)})) as files:
        files.prepare([b"file/a", *below(b"guarded"), *below(b"kept"), *below(b"link"), b"z"])
        assert there(target) == {"file", "guarded", "kept", "link", "z"}

    assert there(target) == {"file", "guarded", "kept", "link"}
    assert not list(elsewhere.iterdir())


def test_one_in_which_somebody_wrote_is_not_removed(tmp_path: Path) -> None:
    with opened(tmp_path) as files:
        files.prepare([b"used"])
        (tmp_path / "used" / "file").write_bytes(b"of somebody else")

    assert there(tmp_path) == {"used", "used/file"}


def test_access_lists_that_they_took_over_are_those_of_the_restore_point(tmp_path: Path) -> None:
    os.setxattr(tmp_path, DEFAULT_ACL, acl(user=4242))
    with opened(tmp_path) as files:
        files.prepare([b"new", b"new/below"])
        for path in ("new", "new/below"):
            files.make_directory(a_directory(path), keep_attributes=False)
        files.finish()

    assert {name for path in tmp_path.rglob("*") for name in os.listxattr(path)} == set()
