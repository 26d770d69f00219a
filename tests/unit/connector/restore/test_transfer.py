"""Writing what a restore point has to a directory, over repositories made by hand."""

import base64
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from connector.restore.content_comparison import is_content
from connector.restore.preview import Preview
from connector.stores.open_stores import PointDeleted
from contracts.task_types.restore import Keep, OverwritePolicy
from integrations.sdk.errors import Cancelled

from tests.support.repository_writer import RepositoryWriter
from tests.support.tree_properties import DEFAULT_ACL, acl
from tests.unit.connector.restore.restore_case import FILES, LOST, MISSING, MODIFIED_NS, Case, node


@pytest.fixture
def case(tmp_path: Path) -> Case:
    (tmp_path / "store").mkdir()
    return Case(tmp_path)


def test_a_whole_restore_point_is_written_with_times_and_modes_and_read_back(case: Case) -> None:
    figures = case.run()

    assert case.there == FILES
    assert (case.target / "a").stat().st_mtime_ns == (case.target / "deep").stat().st_mtime_ns == MODIFIED_NS
    assert stat.S_IMODE((case.target / "a").stat().st_mode) == 0o640
    assert (figures.files, figures.written, figures.verified, case.problems.count) == (4, 4, 4, 0)
    assert figures.verified_bytes == figures.written_bytes == figures.bytes == sum(map(len, FILES.values()))
    assert case.progress[-1].fraction == 1


def test_a_part_keeps_its_place_and_its_directories_are_made_like_those_of_the_restore_point(case: Case) -> None:
    case.run(b"/deep/er", b"/z")

    assert case.there == {"deep/er/c": b"", "z": b"last"}
    assert stat.S_IMODE((case.target / "deep").stat().st_mode) == 0o755


@pytest.mark.parametrize(
    ("overwrite", "age", "written"),
    [
        ("always", 0, True),
        ("if_changed", 0, True),
        ("if_newer", 0, False),
        ("if_newer", -(10**12), True),
        ("never", -(10**12), False),
    ],
)
def test_the_policy_says_whether_what_is_there_is_replaced(
    case: Case, overwrite: OverwritePolicy, age: int, *, written: bool
) -> None:
    case.target.mkdir()
    (case.target / "a").write_bytes(b"mine")
    moment = MODIFIED_NS + 10**9 + age
    os.utime(case.target / "a", ns=(moment, moment))

    figures = case.run(overwrite=overwrite)

    assert (case.target / "a").read_bytes() == (b"first" if written else b"mine")
    assert (figures.written, figures.kept) == ((4, 0) if written else (3, 1))
    assert len(case.outcomes) == 4
    assert case.outcomes.pop("/a") == ("ok" if written else "kept")
    assert set(case.outcomes.values()) == {"ok"}
    assert case.problems.count == 0


@pytest.mark.parametrize("overwrite", ["if_changed", "if_newer"])
def test_a_second_attempt_leaves_what_is_as_it_should_be_and_compares_it(
    case: Case, overwrite: OverwritePolicy
) -> None:
    case.target.mkdir()
    (case.target / "a").write_bytes(b"FIRST")
    os.utime(case.target / "a", ns=(MODIFIED_NS, MODIFIED_NS))

    figures = case.run(overwrite=overwrite)

    assert (figures.unchanged, figures.written, figures.verified) == (1, 3, 3)
    assert [p.path for p in case.problems.kept] == ["/a"]
    assert case.outcomes["/a"] == "error"
    assert "its content is another" in case.problems.kept[0].reason


@pytest.mark.parametrize("content", [b"FIRST", b"mine"], ids=["of the same size", "of another size"])
def test_what_never_is_to_be_replaced_is_kept_whatever_it_is_and_is_no_problem(case: Case, content: bytes) -> None:
    case.target.mkdir()
    (case.target / "a").write_bytes(content)
    os.utime(case.target / "a", ns=(MODIFIED_NS, MODIFIED_NS))

    figures = case.run(overwrite="never")

    assert (case.target / "a").read_bytes() == content
    assert (figures.unchanged, figures.kept, figures.written, figures.verified) == (0, 1, 3, 3)
    assert case.outcomes["/a"] == "kept"
    assert case.problems.count == 0


@pytest.mark.parametrize("overwrite", ["if_changed", "if_newer"])
def test_a_link_that_leads_elsewhere_and_what_is_no_link_are_not_taken_for_the_link_of_the_same_time(
    case: Case, overwrite: OverwritePolicy
) -> None:
    case.target.mkdir()
    (case.target / "other").symlink_to("/elsewhere")
    (case.target / "same").symlink_to("/there")
    os.mkfifo(case.target / "pipe")
    for path in case.target.iterdir():
        os.utime(path, ns=(MODIFIED_NS, MODIFIED_NS), follow_symlinks=False)
    case.nodes = [node(name, "symlink", linktarget="/there") for name in ("other", "pipe", "same")]

    figures = case.run(overwrite=overwrite)

    # Equally old, so that only `if_changed` may replace what is another one.
    counted = (2, 1, 0) if overwrite == "if_changed" else (0, 1, 2)
    assert (figures.written, figures.unchanged, figures.kept) == counted
    links = {path.name: path.readlink() for path in case.target.iterdir() if path.is_symlink()}
    assert links["same"] == Path("/there")
    assert links["other"] == Path("/there" if overwrite == "if_changed" else "/elsewhere")
    assert ("pipe" in links) is (overwrite == "if_changed")


def with_an_owner_that_nobody_can_be(writer: RepositoryWriter) -> str:
    below = writer.tree([node("b", "file", size=0, content=[])])
    nobody = {"uid": 1 << 40, "subtree": below}
    return writer.tree([node("a", "dir", **nobody), node("f", "file", size=0, content=[]), node("z", "dir", **nobody)])


def test_a_directory_that_cannot_have_its_owner_is_named_itself_and_nothing_else_fails_for_it(case: Case) -> None:
    case.make_tree = with_an_owner_that_nobody_can_be

    figures = case.run(root_owns=True)

    assert set(case.there) == {"a/b", "f", "z/b"}
    assert {p.path for p in case.problems.kept} == {"/a", "/z"}
    assert (figures.written, figures.verified) == (3, 3)


def test_a_directory_without_its_extended_attributes_is_named_as_a_file_is(case: Case) -> None:
    nameless = [{"name": "user.", "value": "YQ=="}]
    case.make_tree = lambda writer: writer.tree(
        [node("d", "dir", subtree=writer.tree([]), extended_attributes=nameless)]
    )

    case.run()

    assert [p.path for p in case.problems.kept] == ["/d"]
    assert "extended attributes (user." in case.problems.kept[0].reason
    assert (case.target / "d").stat().st_mtime_ns == MODIFIED_NS


def test_what_a_killed_restore_made_and_another_attempt_leaves_as_it_is_has_its_mode_already(case: Case) -> None:
    modes: set[int] = set()

    def look() -> bool:
        modes.update(stat.S_IMODE(path.stat().st_mode) for path in case.target.glob("deep"))
        return False

    case.is_cancelled = look
    case.run(overwrite="never")

    assert modes == {0o755}


def test_a_cancelled_restore_leaves_no_directory_private(case: Case) -> None:
    case.is_cancelled = (case.target / "deep" / "b").exists

    with pytest.raises(Cancelled):
        case.run()

    assert stat.S_IMODE((case.target / "deep").stat().st_mode) == 0o755


def test_a_lost_blob_names_its_file_and_the_others_are_written(case: Case) -> None:
    case.files = FILES | {"deep/b": LOST}

    figures = case.run()

    assert case.there == {path: data for path, data in FILES.items() if path != "deep/b"}
    assert [(p.path, p.code) for p in case.problems.kept] == [("/deep/b", "blob_missing")]
    assert case.outcomes["/deep/b"] == "error"
    assert figures.verified == 3


def test_what_a_restore_point_lacks_that_was_deleted_meanwhile_is_no_damage(case: Case) -> None:
    case.files, case.is_deleted = FILES | {"deep/b": LOST}, True

    with pytest.raises(PointDeleted, match="was deleted while it was read"):
        case.run()

    assert case.problems.count == 0
    assert not any("the repository does not hold" in line for line in case.log)


def test_links_in_the_way_are_not_followed(case: Case, tmp_path: Path) -> None:
    case.target.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").write_bytes(b"kept")
    (case.target / "deep").symlink_to(tmp_path / "elsewhere")
    (case.target / "a").symlink_to(tmp_path / "elsewhere" / "kept")

    case.run()

    assert {p.name: p.read_bytes() for p in (tmp_path / "elsewhere").iterdir()} == {"kept": b"kept"}
    assert case.there == {"a": b"first", "z": b"last"}
    assert {p.path for p in case.problems.kept} == {"/deep", "/deep/b", "/deep/er", "/deep/er/c"}


def test_what_is_off_limits_stays_as_it_is(case: Case) -> None:
    case.off_limits = {b"deep/er": "it belongs to Cairn's own state", b"z": "so does this"}

    case.run()

    assert set(case.there) == {"a", "deep/b"}
    assert {p.path for p in case.problems.kept} == {"/deep/er", "/deep/er/c", "/z"}


def test_links_and_pipes_are_made_and_what_cannot_be_is_named(case: Case) -> None:
    case.nodes = (node("link", "symlink", linktarget="/nowhere"), node("pipe", "fifo"), node("socket", "socket"))

    case.run()

    assert (case.target / "link").readlink() == Path("/nowhere")
    assert (case.target / "link").lstat().st_mtime_ns == MODIFIED_NS
    assert stat.S_ISFIFO((case.target / "pipe").stat().st_mode)
    assert [p.path for p in case.problems.kept] == ["/socket"]


@pytest.mark.parametrize(("owner", "mode"), [(0, 0o4755), (1, 0o755)], ids=["the same user", "another one"])
def test_bits_that_lend_rights_are_given_to_the_same_owner_alone(case: Case, owner: int, mode: int) -> None:
    case.nodes = (node("tool", "file", mode=0o755 | 1 << 23, uid=os.geteuid() + owner, content=[]),)

    case.run()

    assert stat.S_IMODE((case.target / "tool").stat().st_mode) == mode


def test_owners_come_back_where_root_restores_and_nowhere_else(case: Case) -> None:
    is_root = os.geteuid() == 0
    owner, group = os.geteuid() + 1, os.getegid() + 1
    theirs = {"uid": owner, "gid": group}
    case.nodes = (node("file", "file", content=[], **theirs), node("link", "symlink", linktarget="file", **theirs))

    case.run(root_owns=is_root)

    expected = (owner, group) if is_root else (os.geteuid(), os.getegid())
    found = [path.lstat() for path in case.target.iterdir()]
    assert [(each.st_uid, each.st_gid) for each in found] == [expected] * 2


def extended(name: str, value: bytes) -> dict[str, str]:
    return {"name": name, "value": base64.b64encode(value).decode()}


def test_extended_attributes_come_back_also_on_what_nobody_may_write(case: Case) -> None:
    attributes = [extended("user.note", b"kept\0"), extended("user.empty", b"")]
    case.nodes = (node("file", "file", mode=0o400, content=[], extended_attributes=attributes),)

    case.run()

    found = {name: os.getxattr(case.target / "file", name) for name in ("user.note", "user.empty")}
    assert found == {"user.note": b"kept\0", "user.empty": b""}
    assert stat.S_IMODE((case.target / "file").stat().st_mode) == 0o400
    assert case.problems.count == 0


@pytest.mark.parametrize(("root_owns", "named"), [(True, ["/file"]), (False, [])])
def test_what_the_system_refuses_of_its_own_attributes_is_named_where_root_restores(
    case: Case, root_owns: bool, named: list[str]
) -> None:
    refused = extended("system.nobody-has-this", b"x")
    case.nodes = (node("file", "file", content=[], extended_attributes=[refused]),)

    case.run(root_owns=root_owns)

    assert [problem.path for problem in case.problems.kept] == named
    assert all("extended attributes (system.nobody-has-this" in each.reason for each in case.problems.kept)


def test_a_cancelled_restore_stops_and_leaves_nothing_unfinished(case: Case) -> None:
    looks: Iterator[int] = iter(range(100))
    case.is_cancelled = lambda: next(looks) > 12

    with pytest.raises(Cancelled):
        case.run()

    assert not [name for name in case.there if ".cairn-restore" in name]
    assert set(case.there) < set(FILES)


@pytest.mark.parametrize(
    ("pieces", "same"),
    [([b"ab", b"c"], True), ([b"abc"], True), ([b"a", b"", b"bc"], False), ([b"ab"], False), ([b"abc", b"d"], False)],
)
def test_content_is_compared_by_the_hashes_of_its_blobs(pieces: list[bytes], *, same: bool) -> None:
    blobs = [(hashlib.sha256(b"a").hexdigest(), 1), (hashlib.sha256(b"bc").hexdigest(), 2)]

    assert is_content(iter(pieces), blobs) is same


def test_a_damaged_blob_names_its_file_and_those_read_with_it_are_written(case: Case) -> None:
    case.files, case.spoils = FILES | {"deep/b": os.urandom(100_000)}, True

    figures = case.run()

    assert case.there == {path: data for path, data in FILES.items() if path != "deep/b"}
    assert [(p.path, p.code) for p in case.problems.kept] == [("/deep/b", "repository_damaged")]
    assert figures.verified == 3


def test_bytes_count_as_written_of_files_that_were_written_and_once(case: Case) -> None:
    def make_tree(writer: RepositoryWriter) -> str:
        broken = [writer.data(b"begun"), writer.data(os.urandom(100_000))]
        whole = node("whole", "file", size=4, content=[writer.data(b"good")])
        return writer.tree([node("broken", "file", size=100_005, content=broken), whole])

    case.make_tree, case.spoils = make_tree, True

    figures = case.run()

    assert case.there == {"whole": b"good"}
    assert (figures.written, figures.written_bytes) == (1, 4)


def test_a_directory_that_is_lost_is_named_and_what_is_beside_it_is_written(case: Case) -> None:
    case.nodes = (
        node("gone", "dir", subtree=MISSING),
        node("kept", "file", size=0, content=[]),
    )

    figures = case.run()

    assert case.there == {"kept": b""}
    assert [(p.path, p.code) for p in case.problems.kept] == [("/gone", "blob_missing")]
    assert figures.verified == 1


def linked(name: str, content: str, *, inode: int = 7, links: int = 3) -> str:
    return node(name, "file", size=5, content=[content], links=links, inode=inode, device_id=1)


def test_names_of_one_file_are_names_of_one_file_again_and_it_is_read_once(case: Case) -> None:
    def make_tree(writer: RepositoryWriter) -> str:
        blob = writer.data(b"links")
        below = writer.tree([linked("b", blob)])
        return writer.tree([linked("a", blob), node("d", "dir", subtree=below), linked("other", blob, inode=8)])

    case.make_tree = make_tree
    case.target.mkdir()
    (case.target / "a").write_bytes(b"of before")

    figures = case.run()

    inodes = {path: (case.target / path).stat().st_ino for path in ("a", "d/b", "other")}
    assert inodes["a"] == inodes["d/b"] != inodes["other"]
    assert case.there == {"a": b"links", "d/b": b"links", "other": b"links"}
    assert (figures.written, figures.verified, figures.written_bytes, figures.linked_bytes) == (3, 3, 10, 5)
    assert case.progress[-1].fraction == 1


def test_a_name_whose_file_is_there_already_becomes_one_of_its_names_and_again_stays_one(case: Case) -> None:
    case.make_tree = lambda writer: writer.tree([linked(name, writer.data(b"links")) for name in "abc"])
    case.target.mkdir()
    (case.target / "a").write_bytes(b"links")
    os.utime(case.target / "a", ns=(MODIFIED_NS, MODIFIED_NS))
    (case.target / "c").hardlink_to(case.target / "a")

    figures = case.run(overwrite="if_changed")

    assert (figures.unchanged, figures.written, figures.verified) == (2, 1, 3)
    assert (case.target / "a").stat().st_nlink == 3


@pytest.mark.parametrize(
    ("type_", "counted"),
    [("fifo", {"links": 0}), ("fifo", {"links": 2}), ("symlink", {"links": 2, "linktarget": "/there"})],
    ids=["a pipe, as restic does not count its names", "a pipe", "a link"],
)
@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("overwrite", ["always", "if_changed", "if_newer", "never"])
def test_names_of_what_is_no_file_are_names_of_one_again(
    case: Case, type_: str, counted: dict[str, Any], overwrite: OverwritePolicy, *, there: bool
) -> None:
    facts = {"inode": 7, "device_id": 1, **counted}
    case.make_tree = lambda writer: writer.tree(
        [
            node("a", type_, **facts),
            node("d", "dir", subtree=writer.tree([node("b", type_, **facts)])),
            node("other", type_, **{**facts, "inode": 8}),
        ]
    )
    if there:
        case.target.mkdir()
        (case.target / "a").symlink_to("/there") if type_ == "symlink" else os.mkfifo(case.target / "a")
        os.utime(case.target / "a", ns=(MODIFIED_NS, MODIFIED_NS), follow_symlinks=False)

    case.run(overwrite=overwrite)

    inodes = {path: (case.target / path).lstat().st_ino for path in ("a", "d/b", "other")}
    assert inodes["a"] == inodes["d/b"] != inodes["other"]
    assert case.problems.count == 0


def test_names_of_one_file_that_are_there_are_replaced_together(case: Case) -> None:
    case.make_tree = lambda writer: writer.tree([linked(name, writer.data(b"links"), links=2) for name in "ab"])
    case.target.mkdir()
    (case.target / "b").write_bytes(b"links")
    os.utime(case.target / "b", ns=(MODIFIED_NS, MODIFIED_NS))
    (case.target / "a").hardlink_to(case.target / "b")

    figures = case.run()

    assert (figures.written, figures.verified, case.problems.count) == (2, 2, 0)
    assert {path.name for path in case.target.iterdir()} == {"a", "b"}
    assert (case.target / "a").stat().st_nlink == (case.target / "b").stat().st_nlink == 2


def test_a_name_whose_file_was_lost_is_written_for_itself(case: Case) -> None:
    def make_tree(writer: RepositoryWriter) -> str:
        return writer.tree([linked("a", MISSING), linked("b", writer.data(b"links"))])

    case.make_tree = make_tree

    case.run()

    assert case.there == {"b": b"links"}
    assert [problem.path for problem in case.problems.kept] == ["/a"]


@pytest.mark.parametrize(
    ("content", "sparse"),
    [
        (bytes(1 << 20), True),
        (b"head" + bytes(1 << 20) + b"tail", True),
        (b"x" * (1 << 17) + bytes(1 << 20), True),
        (bytes(1 << 17) + b"x" * (1 << 20), True),
        (b"x" * (1 << 18), False),
        (b"x" + bytes((64 << 10) - 1), False),
    ],
    ids=["nothing else", "in the middle", "at the end", "at the beginning", "none", "too small"],
)
def test_zeros_come_back_as_holes(case: Case, content: bytes, *, sparse: bool) -> None:
    case.files = {"sparse": content}

    figures = case.run()

    found = (case.target / "sparse").stat()
    assert case.there == {"sparse": content}
    assert (found.st_blocks * 512 < found.st_size) is sparse
    assert figures.verified == 1


def test_a_dry_run_tells_what_would_change_and_changes_nothing(case: Case) -> None:
    case.target.mkdir()
    (case.target / "a").write_bytes(b"mine")
    (case.target / "z").mkdir()
    lines: list[str] = []
    found = Preview(lines.append)

    case.run(preview=found)

    assert {path.name for path in case.target.iterdir()} == {"a", "z"}
    assert (found.created, found.replaced, found.kept) == (4, 1, 0)
    told = [(each.path, each.change) for each in found.changes]
    paths = ["/a", "/deep", "/deep/b", "/deep/er", "/deep/er/c"]
    assert told == [(path, "replaced" if path == "/a" else "created") for path in paths]
    assert lines[0] == "Would be replaced: /a"
    assert [(p.path, p.reason) for p in case.problems.kept] == [("/z", "a directory is in its place")]


def test_a_dry_run_names_what_the_destination_cannot_keep_as_the_restore_does(case: Case) -> None:
    case.nodes = (node("a", "file", content=[]), node("pipe", "fifo"), node("socket", "socket"))
    dry, found = replace(case, root=case.root / "dry"), Preview(lambda _: None)
    dry.root.mkdir()

    done = case.run()
    dry.run(preview=found)

    assert found.created == done.created == 2
    told = [(p.path, p.reason) for p in dry.problems.kept]
    assert told == [(p.path, p.reason) for p in case.problems.kept] == [("/socket", "a socket cannot be restored")]


def test_a_dry_run_names_nothing_of_what_stays(case: Case) -> None:
    case.nodes = (node("socket", "socket"),)
    case.target.mkdir()
    (case.target / "socket").touch()

    case.run(overwrite="never", preview=Preview(lambda _: None))

    assert case.problems.count == 0


@pytest.mark.parametrize(
    ("overwrite", "counted"),
    [("always", (2, 2, 2)), ("if_changed", (2, 1, 3)), ("if_newer", (2, 0, 4)), ("never", (2, 0, 4))],
)
@pytest.mark.parametrize("paths", [(b"/",), (b"/a", b"/deep", b"/z")], ids=["whole", "parts"])
def test_a_restore_counts_what_its_dry_run_foretells(
    case: Case, paths: tuple[bytes, ...], overwrite: OverwritePolicy, counted: tuple[int, int, int]
) -> None:
    (case.target / "deep" / "er").mkdir(parents=True)
    for name, content, age_ns in (("a", b"first", 0), ("z", b"later", 10**9)):
        (case.target / name).write_bytes(content)
        os.utime(case.target / name, ns=(MODIFIED_NS + age_ns, MODIFIED_NS + age_ns))
    dry = replace(case, root=case.root / "dry")
    shutil.copytree(case.target, dry.target)

    done, found = case.run(*paths, overwrite=overwrite), Preview(lambda _: None)
    dry.run(*paths, overwrite=overwrite, preview=found)

    assert (found.created, found.replaced, found.kept) == counted
    assert (done.created, done.replaced, done.unchanged + done.kept + done.kept_directories) == counted
    assert (found.unchanged, found.kept_files) == (done.unchanged, done.kept)


@pytest.mark.parametrize(("overwrite", "told"), [("if_changed", 1), ("if_newer", 1), ("never", 0), ("always", 0)])
def test_a_dry_run_says_that_files_which_are_there_would_get_attributes(
    case: Case, overwrite: OverwritePolicy, told: int
) -> None:
    case.target.mkdir()
    (case.target / "a").write_bytes(b"first")
    os.utime(case.target / "a", ns=(MODIFIED_NS, MODIFIED_NS))
    lines: list[str] = []

    case.run(b"/a", overwrite=overwrite, preview=Preview(lines.append))

    words = "1 are there with the same size and time and would be given owner, mode and extended attributes"
    assert len([line for line in lines if line.startswith(words)]) == told


def test_a_dry_run_counts_what_the_policy_keeps(case: Case) -> None:
    case.target.mkdir()
    (case.target / "a").write_bytes(b"mine")
    found = Preview(lambda _: None)

    case.run(overwrite="never", preview=found)

    assert (found.created, found.replaced, found.kept) == (5, 0, 1)


def test_a_dry_run_lists_the_first_changes_and_counts_all(case: Case) -> None:
    case.nodes = [node(f"{n:04}", "file", size=0, content=[]) for n in range(1100)]
    lines: list[str] = []
    found = Preview(lines.append)

    case.run(preview=found)

    assert (found.created, len(found.changes), len(lines)) == (1100, 100, 1001)
    assert lines[-1] == "100 more would be created or replaced."


@pytest.mark.parametrize("path", [b"/", b"/above/file", b"/above/pipe", b"/above/below", b"/above/below/file"])
@pytest.mark.parametrize("there", [False, True], ids=["new", "there already"])
def test_access_lists_are_those_of_the_restore_point_whatever_part_of_it_comes_back(
    case: Case, path: bytes, *, there: bool
) -> None:
    for_new = acl(user=4242)
    listed = {"extended_attributes": [extended(DEFAULT_ACL, for_new)]}

    def make_tree(writer: RepositoryWriter) -> str:
        below = writer.tree([node("file", "file", content=[])])
        inside = [node("below", "dir", subtree=below), node("file", "file", content=[]), node("pipe", "fifo")]
        return writer.tree([node("above", "dir", subtree=writer.tree(inside), **listed)])

    case.make_tree = make_tree
    if there:
        (case.target / "above" / "below").mkdir(parents=True)
        os.setxattr(case.target / "above", DEFAULT_ACL, for_new)

    case.run(path)

    found = {str(each.relative_to(case.target)): os.listxattr(each) for each in case.target.rglob("*")}
    assert found.pop("above") == [DEFAULT_ACL]
    assert found
    assert not any(found.values())
    assert case.problems.count == 0


def test_what_is_made_below_a_directory_with_a_default_access_list_takes_none_over(case: Case) -> None:
    case.target.mkdir()
    os.setxattr(case.target, DEFAULT_ACL, acl(user=4242))

    case.run(keep=Keep(xattrs=False))

    assert not any(os.listxattr(path) for path in case.target.rglob("*"))
    assert stat.S_IMODE((case.target / "deep" / "er").stat().st_mode) == 0o755
    assert case.problems.count == 0


def test_attributes_that_are_not_kept_are_as_those_of_new_files(case: Case) -> None:
    note = [extended("user.note", b"kept")]
    special = {"mode": 0o400, "uid": os.geteuid() + 1, "extended_attributes": note}
    case.make_tree = lambda writer: writer.tree(
        [
            node("d", "dir", subtree=writer.tree([]), **special | {"mode": 0o500 | 1 << 31}),
            node("f", "file", content=[], **special),
        ]
    )
    mask = os.umask(0o027)
    try:
        case.run(root_owns=True, keep=Keep(owner=False, mode=False, times=False, xattrs=False))
    finally:
        os.umask(mask)

    for name, mode in (("d", 0o750), ("f", 0o640)):
        found = (case.target / name).stat()
        assert (stat.S_IMODE(found.st_mode), found.st_uid) == (mode, os.geteuid())
        assert found.st_mtime_ns != MODIFIED_NS
        assert not os.listxattr(case.target / name)
