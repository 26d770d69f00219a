"""Files restored into a directory while another attempt, another owner or the reading side gets in the way."""

import errno
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from integrations.fs.file_attributes import Attributes
from integrations.fs.restored_files import RestoredFiles
from integrations.sdk.ports.destination import NotWritten, RestoredNode
from msgspec.structs import replace
from restic_reader import Node

from tests.support.unprivileged import NOBODY, as_another_user

CONTENT = (b"first half, ", b"second half")


@contextmanager
def opened(target: Path, *, attempt: int = 1) -> Iterator[RestoredFiles]:
    held = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
    files = RestoredFiles(
        held,
        job_id="job",
        attempt=attempt,
        off_limits={},
        guarded=frozenset(),
        attributes=Attributes(is_root=False),
    )
    with closing(files):
        yield files
    os.close(held)


def a_node(path: str, type_: str = "file") -> RestoredNode:
    mode = 0o755 | 1 << 31 if type_ == "dir" else 0o640
    node = Node(quoted_name=path.rpartition("/")[2], type=type_, mode=mode, mtime="2024-02-03T04:05:06Z")
    return RestoredNode(path=path.encode(), node=node)


class StoppedAttempt:
    """The first attempt at a restore, stopped in the middle of a file."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._is_half_way, self._goes_on = Event(), Event()
        self._thread = Thread(target=self._write)
        self.error: NotWritten | None = None

    def stop_half_way(self) -> None:
        self._thread.start()
        assert self._is_half_way.wait(10)

    def go_on(self) -> None:
        self._goes_on.set()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _write(self) -> None:
        try:
            with opened(self._target) as files:
                files.write(a_node("file"), self._pieces())
        except NotWritten as error:
            self.error = error

    def _pieces(self) -> Iterator[bytes]:
        yield CONTENT[0]
        self._is_half_way.set()
        assert self._goes_on.wait(10)
        yield CONTENT[1]


def test_an_attempt_that_was_only_stopped_does_not_move_what_the_next_one_is_writing(tmp_path: Path) -> None:
    first = StoppedAttempt(tmp_path)
    names: list[str] = []
    first.stop_half_way()

    def pieces() -> Iterator[bytes]:
        yield CONTENT[0]
        first.go_on()
        names.extend(path.name for path in tmp_path.iterdir())
        yield CONTENT[1]

    with opened(tmp_path, attempt=2) as files:
        files.write(a_node("file"), pieces())

    assert first.error is not None
    assert "another attempt" in first.error.reason
    assert "file" not in names
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"".join(CONTENT)}


def test_an_attempt_leaves_what_a_later_one_is_writing(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield CONTENT[0]
        with opened(tmp_path, attempt=1) as earlier:
            earlier.write(a_node("file"), iter(CONTENT))
        yield CONTENT[1]

    with opened(tmp_path, attempt=2) as later:
        later.write(a_node("file"), pieces())

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"".join(CONTENT)}


def test_a_name_that_is_no_longer_that_of_the_written_file_is_not_moved(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield CONTENT[0]
        [unfinished] = tmp_path.iterdir()
        unfinished.unlink()
        unfinished.write_bytes(b"of somebody else")

    with opened(tmp_path) as files, pytest.raises(NotWritten, match="another attempt"):
        files.write(a_node("file"), pieces())

    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), ValueError("not a number")])
def test_an_error_of_the_reading_side_is_not_the_destinations(tmp_path: Path, error: Exception) -> None:
    def pieces() -> Iterator[bytes]:
        yield CONTENT[0]
        raise error

    with opened(tmp_path) as files, pytest.raises(type(error)) as raised:
        files.write(a_node("file"), pieces())

    assert raised.value is error
    assert not list(tmp_path.iterdir())


def test_reading_back_leaves_the_access_time_that_was_restored(tmp_path: Path) -> None:
    node = replace(a_node("file").node, atime="2023-02-03T04:05:06Z", size=len(b"".join(CONTENT)))
    restored = RestoredNode(path=b"file", node=node)

    with opened(tmp_path) as files:
        files.write(restored, iter(CONTENT))
        assert b"".join(files.read(restored)) == b"".join(CONTENT)

    assert (tmp_path / "file").stat().st_atime_ns == node.atime_ns


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file of somebody else")
def test_a_file_of_somebody_else_is_read_back_as_well(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"".join(CONTENT))
    (tmp_path / "file").chmod(0o644)
    os.chown(tmp_path, NOBODY, NOBODY)
    held = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)

    def read() -> str:
        with opened(Path(f"/proc/self/fd/{held}")) as files:
            return b"".join(files.read(a_node("file"))).decode()

    told = as_another_user(read)
    os.close(held)

    assert told == b"".join(CONTENT).decode()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a directory of somebody else")
def test_a_directory_of_somebody_else_is_named_and_costs_no_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o777)
    os.chown(tmp_path, NOBODY, NOBODY)
    held = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)

    def restore() -> str:
        with opened(Path(f"/proc/self/fd/{held}")) as files:
            for name in ("a", "b"):
                files.make_directory(a_node(name, "dir"), keep_attributes=False)
                files.write(a_node(f"{name}/file"), iter(CONTENT))
            files.finish()
            return "; ".join(f"{path.decode()}: {words}" for path, words in files.lacking())

    told = as_another_user(restore)
    os.close(held)

    lacking = "restored without all of its owner, mode and times: operation not permitted"
    assert told == f"a: {lacking}; b: {lacking}"
    assert {name: (tmp_path / name / "file").read_bytes() for name in ("a", "b")} == dict.fromkeys(
        ("a", "b"), b"".join(CONTENT)
    )


def a_name(path: str, *, links: int, mode: int = 0o640, type_: str = "file") -> RestoredNode:
    """One of the names of a file or, uncounted, of a pipe."""
    kind = 1 << 25 if type_ == "fifo" else 0
    facts: dict[str, Any] = {"inode": 7, "device_id": 8, "links": links, "mtime": "2024-02-03T04:05:06Z"}
    return RestoredNode(path=path.encode(), node=Node(quoted_name=path, type=type_, mode=mode | kind, **facts))


def there(path: Path, node: Node) -> Path:
    """What is like a node but for its mode."""
    os.mkfifo(path, 0o600) if node.type == "fifo" else path.touch(mode=0o600)
    os.utime(path, ns=(node.mtime_ns, node.mtime_ns))
    return path


@pytest.mark.parametrize(("links", "type_"), [(2, "file"), (0, "fifo")])
def test_a_file_with_a_name_outside_the_destination_is_not_changed_in_place(
    tmp_path: Path, links: int, type_: str
) -> None:
    # As many names as in the restore point, but not the same ones.
    first = a_name("first", links=links, type_=type_)
    (target := tmp_path / "target").mkdir()
    outside = there(tmp_path / "outside", first.node)
    os.link(outside, target / "first")

    with opened(target) as files:
        assert files.existing(first) is not None
        assert not files.give_attributes(first)
        files.write(first, iter(()))

    assert (outside.stat().st_mode & 0o777, (target / "first").stat().st_mode & 0o777) == (0o600, 0o640)


@pytest.mark.parametrize(("links", "type_"), [(2, "file"), (0, "fifo")])
def test_a_file_whose_names_were_all_met_is_changed_in_place(tmp_path: Path, links: int, type_: str) -> None:
    names = [a_name(path, links=links, type_=type_) for path in ("first", "second")]
    before = there(tmp_path / "first", names[0].node).stat()
    os.link(tmp_path / "first", tmp_path / "second")

    with opened(tmp_path) as files:
        for each in names:
            files.existing(each)
        assert all(files.give_attributes(each) for each in names)

    after = (tmp_path / "second").stat()
    assert (after.st_ino, after.st_mode & 0o777) == (before.st_ino, 0o640)


def test_names_that_are_met_later_become_names_of_the_file_that_was_written_anew(tmp_path: Path) -> None:
    first, second = (a_name(path, links=2) for path in ("first", "second"))
    there(tmp_path / "first", first.node)
    os.link(tmp_path / "first", tmp_path / "second")

    with opened(tmp_path) as files:
        files.existing(first)
        assert not files.give_attributes(first)
        # What comes next is looked up before this one is written.
        files.existing(second)
        assert not files.give_attributes(second)
        for each in (first, second):
            files.write(each, iter(()))

    found = [(tmp_path / name).stat() for name in ("first", "second")]
    assert found[0].st_ino == found[1].st_ino
    assert {each.st_mode & 0o777 for each in found} == {0o640}


def test_a_name_that_was_met_and_replaced_counts_no_more(tmp_path: Path) -> None:
    names = [a_name(path, links=3) for path in ("first", "second")]
    (target := tmp_path / "target").mkdir()
    outside = there(tmp_path / "outside", names[0].node)
    for name in ("first", "second"):
        os.link(outside, target / name)

    with opened(target) as files:
        for each in names:
            files.existing(each)
        (target / "first").unlink()
        assert not files.give_attributes(names[1])

    assert outside.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("answer", [None, ...])
@pytest.mark.parametrize("was_there", [False, True])
def test_whether_something_was_replaced_is_seen_also_where_the_system_cannot_tell_for_sure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Any, *, was_there: bool
) -> None:
    if answer is None:
        monkeypatch.setattr("integrations.fs.new_files.rename_unless_there", lambda *_: None)
    if was_there:
        (tmp_path / "file").write_bytes(b"of somebody else")
    with opened(tmp_path) as files:
        held = files.held(a_node("file"))
        put = files.file_writer()().write(a_node("file").node, b"file", held.place, iter(CONTENT), compare=None)
        held.release()

    assert (put.was_there, put.is_sure, put.lacking) == (was_there, answer is ..., "")
    assert (tmp_path / "file").read_bytes() == b"".join(CONTENT)
