"""What the reader tells of a repository is what restic tells, and what the source was, byte for byte."""

import hashlib
import io
import os
import random
import stat
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from restic_reader import Node, Repository

from tests.integration.restic_reader.conftest import SEED, Sample
from tests.integration.restic_reader.restic_cli import PASSWORD
from tests.integration.restic_reader.sources import paths_below

pytestmark = pytest.mark.fuzz


def every_node(repository: Repository, tree: str) -> Iterator[tuple[bytes, Node]]:
    """All nodes below a tree, in the order `restic ls` tells them, however deep it is."""
    open_directories = [(b"", iter(repository.tree(tree)))]
    while open_directories:
        prefix, nodes = open_directories[-1]
        node = next(nodes, None)
        if node is None:
            open_directories.pop()
            continue
        path = prefix + b"/" + node.name
        yield path, node
        if node.subtree:
            open_directories.append((path, iter(repository.tree(node.subtree))))


def content(repository: Repository, node: Node) -> bytes:
    return b"".join(repository.read(node))


def at(source: Path, path: bytes) -> Path:
    return source / os.fsdecode(path[1:])


def attributes_of(path: Path) -> dict[str, bytes]:
    try:
        return {name: os.getxattr(path, name) for name in os.listxattr(path)}
    except OSError:
        return {}


def as_restic_shows(text: bytes) -> str:
    """Go's JSON puts one replacement character for each byte that is not UTF-8."""
    return "".join(chr(0xFFFD) if 0xDC80 <= ord(char) <= 0xDCFF else char for char in os.fsdecode(text))


def test_every_name_kind_mode_time_and_link_is_as_it_was(sample: Sample, repository: Repository) -> None:
    found = dict(every_node(repository, repository.snapshot(sample.snapshot).tree))
    assert set(found) == set(paths_below(sample.source))
    for path, node in found.items():
        on_disk = at(sample.source, path).lstat()
        assert (node.st_mode, node.mtime_ns, node.uid, node.gid, node.inode) == (
            on_disk.st_mode,
            on_disk.st_mtime_ns,
            on_disk.st_uid,
            on_disk.st_gid,
            on_disk.st_ino,
        ), path
        if stat.S_ISREG(on_disk.st_mode):
            assert (node.size, node.links) == (on_disk.st_size, on_disk.st_nlink)
        if stat.S_ISLNK(on_disk.st_mode):
            assert node.link_target == os.readlink(os.fsencode(at(sample.source, path)))  # noqa: PTH115
        else:
            attributes = {each.name: each.value or b"" for each in node.extended_attributes or ()}
            assert attributes == attributes_of(at(sample.source, path)), path


def test_every_content_is_as_it_was(sample: Sample, repository: Repository) -> None:
    for path, node in every_node(repository, repository.snapshot(sample.snapshot).tree):
        if node.type == "file":
            assert content(repository, node) == at(sample.source, path).read_bytes(), path


def test_the_listing_is_that_of_restic_ls(sample: Sample, repository: Repository) -> None:
    theirs = sample.restic.ls(sample.snapshot)
    ours = list(every_node(repository, repository.snapshot(sample.snapshot).tree))
    assert [as_restic_shows(path) for path, _ in ours] == [line["path"] for line in theirs]
    for (path, node), line in zip(ours, theirs, strict=True):
        ours_told = (node.type, node.mode, node.size, node.uid, node.gid, node.inode)
        assert ours_told == (
            line["type"],
            line["mode"],
            line.get("size", 0),
            line["uid"],
            line["gid"],
            line["inode"],
        ), path
        for mine, told in ((node.mtime_ns, "mtime"), (node.atime_ns, "atime"), (node.ctime_ns, "ctime")):
            assert mine // 1000 == _microseconds(line[told])


def test_the_whole_tree_is_that_of_restic_dump(sample: Sample, repository: Repository) -> None:
    ours = dict(every_node(repository, repository.snapshot(sample.snapshot).tree))
    dumped = io.BytesIO(sample.restic.dump(sample.snapshot, b"/"))
    with tarfile.open(fileobj=dumped, errors="surrogateescape") as archive:
        for member in archive:
            node = ours.pop(b"/" + os.fsencode(member.name))
            if member.isfile():
                file = archive.extractfile(member)
                assert file is not None
                assert hashlib.sha256(content(repository, node)).digest() == hashlib.sha256(file.read()).digest()
            elif member.issym():
                assert os.fsencode(member.linkname) == node.link_target
    assert {node.type for node in ours.values()} == {"fifo"}  # restic leaves it out of the archive


def test_single_files_are_those_of_restic_dump(sample: Sample, repository: Repository) -> None:
    root = repository.snapshot(sample.snapshot).tree
    files = [path for path, node in every_node(repository, root) if node.type == "file"]
    odd = [b"/not-utf8-\xff\xfe\x80", b"/kinds/sparse", b"/" + b"\xff" * 255]
    for path in (*odd, max(files, key=len), *random.Random(SEED).sample(files, 2)):
        assert content(repository, repository.resolve(root, path)) == sample.restic.dump(sample.snapshot, path)


def test_every_path_resolves_to_its_node(sample: Sample, repository: Repository) -> None:
    root = repository.snapshot(sample.snapshot).tree
    for path, node in every_node(repository, root):
        assert repository.resolve(root, path) == node


def test_ranges_are_those_of_the_file(sample: Sample, repository: Repository) -> None:
    chance = random.Random(3)
    root = repository.snapshot(sample.snapshot).tree
    for name in ("several-chunks", "sparse", "text"):
        whole = (sample.source / "kinds" / name).read_bytes()
        node = repository.resolve(root, b"/kinds/" + name.encode())
        assert repository.content_length(node) == len(whole)
        for _ in range(30):
            start, length = chance.randrange(len(whole)), chance.randrange(3_000_000)
            assert b"".join(repository.read(node, start, length)) == whole[start : start + length]


def test_the_walk_tells_each_directory_with_its_totals(sample: Sample, repository: Repository) -> None:
    snapshot = repository.snapshot(sample.snapshot)
    directories = {each.tree_id: each for each in repository.walk_new(snapshot.tree, lambda ids: {})}
    nodes = list(every_node(repository, snapshot.tree))
    assert set(directories) == {snapshot.tree, *(node.subtree for _, node in nodes if node.subtree)}
    for tree_id, directory in directories.items():
        full = repository.tree(tree_id)
        assert [
            (e.name, e.type, e.size, e.mtime_ns, e.st_mode, e.subtree, e.link_target) for e in directory.entries
        ] == [(n.name, n.type, n.size, n.mtime_ns, n.st_mode, n.subtree, n.link_target) for n in full]
    totals = directories[snapshot.tree].totals
    assert totals.dirs == sum(node.type == "dir" for _, node in nodes)
    assert totals.files == len(nodes) - totals.dirs
    assert totals.bytes == sum(node.size for _, node in nodes if node.type == "file")


def test_the_snapshot_is_as_restic_tells_it(sample: Sample, repository: Repository) -> None:
    (ours,), (theirs,) = repository.snapshots(), sample.restic.snapshots()
    told = (ours.id, ours.time, ours.tree, list(ours.paths), ours.hostname, ours.username, list(ours.tags or ()))
    assert told == tuple(theirs[key] for key in ("id", "time", "tree", "paths", "hostname", "username", "tags"))
    assert ours.program_version == theirs["program_version"]
    assert ours.summary is not None
    assert ours.summary.total_bytes_processed == theirs["summary"]["total_bytes_processed"]


def test_the_repository_is_the_one_it_says_it_is(sample: Sample, repository: Repository) -> None:
    assert f'"id": "{repository.config.id}"' in sample.restic.run("cat", "config").decode()
    assert PASSWORD not in repr(repository.__dict__)


def _microseconds(text: str) -> int:
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
