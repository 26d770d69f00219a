"""Attributes of what is there already with its content, which a restore need not write again."""

import base64
import os
import stat
from pathlib import Path

import pytest
from contracts.task_types.restore import Keep, OverwritePolicy

from tests.support.repository_writer import RepositoryWriter
from tests.support.tree_properties import ACCESS_ACL, acl
from tests.unit.connector.restore.restore_case import MODIFIED_NS, Case, node

IS_ROOT = os.geteuid() == 0
OWNER = os.geteuid() + IS_ROOT
NOTE = [{"name": "user.note", "value": base64.b64encode(b"kept").decode()}]
not_never = pytest.mark.parametrize("overwrite", ["if_changed", "if_newer"])


def make_tree(writer: RepositoryWriter) -> str:
    facts = {"mode": 0o440, "uid": OWNER, "extended_attributes": NOTE}
    return writer.tree(
        [node("file", "file", size=4, content=[writer.data(b"data")], **facts), node("pipe", "fifo", mode=0o600)]
    )


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """The content is there, with other attributes."""
    case = Case(tmp_path, make_tree=make_tree)
    case.target.mkdir()
    file, pipe = case.target / "file", case.target / "pipe"
    file.write_bytes(b"data")
    os.setxattr(file, "user.extra", b"x")
    os.setxattr(file, ACCESS_ACL, acl(user=4242))
    os.mkfifo(pipe, 0o644)
    for path in (file, pipe):
        os.utime(path, ns=(MODIFIED_NS, MODIFIED_NS))
    return case


def attributes(path: Path) -> dict[str, bytes]:
    return {name: os.getxattr(path, name) for name in os.listxattr(path)}


@not_never
def test_what_is_there_with_its_content_gets_its_attributes_where_it_is(case: Case, overwrite: OverwritePolicy) -> None:
    file = case.target / "file"
    before = file.stat()

    figures = case.run(overwrite=overwrite, root_owns=IS_ROOT)

    found = file.stat()
    assert (figures.written, figures.unchanged, case.problems.count) == (0, 2, 0)
    assert (found.st_ino, found.st_mtime_ns) == (before.st_ino, MODIFIED_NS)
    assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o440, OWNER)
    assert attributes(file) == {"user.note": b"kept"}
    assert stat.S_IMODE((case.target / "pipe").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("overwrite", "keep"),
    [("never", Keep()), ("if_changed", Keep(owner=False, mode=False, xattrs=False))],
    ids=["by the policy", "by what is kept"],
)
def test_attributes_stay_where_that_is_asked_for(case: Case, overwrite: OverwritePolicy, keep: Keep) -> None:
    file = case.target / "file"
    before, had = file.stat(), attributes(file)

    case.run(overwrite=overwrite, root_owns=IS_ROOT, keep=keep)

    assert attributes(file) == had
    assert file.stat().st_ctime_ns == before.st_ctime_ns


@not_never
def test_what_is_as_it_should_be_is_not_touched(case: Case, overwrite: OverwritePolicy) -> None:
    file = case.target / "file"
    for name in attributes(file):
        os.removexattr(file, name)
    os.setxattr(file, "user.note", b"kept")
    os.chown(file, OWNER, -1)
    file.chmod(0o440)
    before = file.stat()

    case.run(overwrite=overwrite, root_owns=IS_ROOT)

    # A later backup would read it again.
    assert file.stat().st_ctime_ns == before.st_ctime_ns


@not_never
def test_a_file_with_names_that_the_restore_point_has_not_is_written_anew(
    case: Case, overwrite: OverwritePolicy
) -> None:
    strange = case.root / "strange"
    strange.hardlink_to(case.target / "file")
    before = stat.S_IMODE(strange.stat().st_mode)

    figures = case.run(overwrite=overwrite, root_owns=IS_ROOT)

    assert (figures.written, figures.unchanged) == (1, 1)
    assert stat.S_IMODE((case.target / "file").stat().st_mode) == 0o440
    assert (stat.S_IMODE(strange.stat().st_mode), strange.read_bytes()) == (before, b"data")


@not_never
def test_files_that_should_be_one_become_one(case: Case, overwrite: OverwritePolicy) -> None:
    def two_names(writer: RepositoryWriter) -> str:
        facts = {"size": 4, "content": [writer.data(b"data")], "links": 2, "inode": 7, "device_id": 1, "mode": 0o600}
        return writer.tree([node(name, "file", **facts) for name in ("file", "second")])

    case.make_tree = two_names
    (case.target / "second").write_bytes(b"data")
    os.utime(case.target / "second", ns=(MODIFIED_NS, MODIFIED_NS))

    figures = case.run(overwrite=overwrite)

    first, second = ((case.target / name).stat() for name in ("file", "second"))
    assert first.st_ino == second.st_ino
    assert stat.S_IMODE(first.st_mode) == 0o600
    assert (figures.written, figures.unchanged, figures.verified, case.problems.count) == (1, 1, 2, 0)
