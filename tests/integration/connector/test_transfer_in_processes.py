"""Restores whose small files are written by processes: all that holds for any restore, and what may befall those."""

import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from connector.restore import writer_process
from connector.restore.writer_processes import WriterDied
from integrations.sdk.errors import Cancelled

from tests.support.repository_writer import RepositoryWriter
from tests.unit.connector.restore import test_transfer
from tests.unit.connector.restore.restore_case import FILES, MODIFIED_NS, Case, node
from tests.unit.connector.restore.test_transfer import extended

MANY = {f"d{n % 7}/e{n % 3}/{n}": os.urandom(3000 + n) for n in range(1000)}
LARGER = {f"d{n % 40}/{n}": os.urandom(20_000) for n in range(3000)}

# They are collected here once more, with the fixture of this module.
globals().update({name: test for name, test in vars(test_transfer).items() if name.startswith("test_")})


@pytest.fixture
def case(tmp_path: Path) -> Case:
    (tmp_path / "store").mkdir()
    return Case(tmp_path, processes=1)


@pytest.mark.parametrize("is_remote", [False, True])
def test_files_that_are_written_are_compared_before_they_get_their_names(case: Case, *, is_remote: bool) -> None:
    case.files, case.is_remote, case.processes = MANY, is_remote, 3

    figures = case.run()

    assert case.there == MANY
    assert (figures.created, figures.verified, figures.replaced) == (len(MANY) + 7 + 21, len(MANY), 0)
    assert figures.verified_bytes == figures.written_bytes == figures.bytes
    assert set(case.outcomes.values()) == {"ok"}
    used = case.meter.read()
    assert used.cpu_seconds
    assert used.written_bytes is not None
    assert used.written_bytes >= figures.bytes


@pytest.mark.parametrize("is_remote", [False, True])
def test_a_blob_that_is_not_what_its_id_says_names_its_file(case: Case, *, is_remote: bool) -> None:
    def make_tree(writer: RepositoryWriter) -> str:
        # Sealed with the right key and called by another id, which no authentication tells.
        wrong = writer.data(b"another content", called="cd" * 32)
        good = writer.data(b"good")
        return writer.tree(
            [node("bad", "file", size=15, content=[wrong]), node("fine", "file", size=4, content=[good])]
        )

    case.make_tree, case.is_remote = make_tree, is_remote

    figures = case.run()

    assert case.there == {"fine": b"good"}
    assert [(each.path, each.code) for each in case.problems.kept] == [("/bad", "repository_damaged")]
    assert (figures.written, figures.verified) == (1, 1)


def test_what_replaced_something_is_compared_when_all_is_written(case: Case) -> None:
    case.target.mkdir()
    (case.target / "a").write_bytes(b"of somebody else")

    def spoil(path: str, outcome: str) -> None:
        # As when two names are one to the destination: what was compared is replaced by another file.
        if path == "/z" and outcome == "ok":
            (case.target / "deep" / "b").write_bytes(b"of another name")

    figures = with_each_path(case, spoil).run()

    assert figures.replaced == 1
    assert [each.path for each in case.problems.kept] == ["/deep/b"]
    assert "is not what the restore point has" in case.problems.kept[0].reason
    assert figures.verified == len(FILES) - 1


@pytest.mark.parametrize("killed", [slice(None), slice(0, 1), slice(1, 2), slice(2, 3)])
def test_a_restore_whose_process_is_killed_fails_and_the_next_attempt_completes_it(case: Case, killed: slice) -> None:
    case.files = LARGER

    victims = in_the_midst(case, lambda: writers()[killed], signal.SIGKILL)

    with pytest.raises(WriterDied):
        replace(case, processes=3).run()

    assert victims

    there = {path: data for path, data in case.there.items() if ".cairn-restore-" not in path}
    assert there.items() < LARGER.items()
    shutil.rmtree(case.root / "store")
    (case.root / "store").mkdir()
    again = replace(case, attempt=2)
    assert again.run().verified == len(LARGER)
    assert again.there == LARGER


@pytest.mark.parametrize("is_remote", [False, True])
def test_files_of_all_sizes_and_of_wrong_ones_come_back(case: Case, *, is_remote: bool) -> None:
    content = {f"{size:09}": os.urandom(size) for size in (0, 1, 1 << 20, (5 << 20) + 1, 8 << 20, (8 << 20) + 1)}

    def make_tree(writer: RepositoryWriter) -> str:
        nodes = [node(name, "file", size=len(data), content=blobs_of(data, writer)) for name, data in content.items()]
        return writer.tree([*nodes, node("wrong", "file", size=3, content=[writer.data(b"longer")])])

    case.make_tree, case.is_remote = make_tree, is_remote

    figures = case.run()

    assert case.there == content | {"wrong": b"longer"}
    assert (figures.verified, case.problems.count) == (len(content) + 1, 0)


def blobs_of(data: bytes, writer: RepositoryWriter) -> list[str]:
    return [writer.data(data[at : at + (1 << 20)]) for at in range(0, len(data), 1 << 20)]


def test_a_process_ends_with_its_restore(case: Case) -> None:
    case.files, case.processes = LARGER, 2
    seen: list[psutil.Process] = []

    def cancel(_path: str, _outcome: str) -> None:
        seen.extend([] if seen else writers())

    case.is_cancelled = lambda: bool(seen)
    with pytest.raises(Cancelled):
        with_each_path(case, cancel).run()

    assert len(set(seen)) >= 2
    assert not [each for each in set(seen) if each.is_running()]
    assert not [path for path in case.there if ".cairn-restore-" in path]
    assert len(case.there) < len(case.files)
    assert {stat.S_IMODE(each.stat().st_mode) for each in case.target.rglob("*") if each.is_dir()} == {0o755}


def test_a_full_destination_ends_the_restore_and_nothing_is_half_written(case: Case) -> None:
    script = """
import os, subprocess, sys
from pathlib import Path
from contracts.errors import CairnError
from tests.unit.connector.restore.restore_case import Case

files = {f"d{n % 9}/{n}": os.urandom(20_000) for n in range(1000)}
case = Case(Path(sys.argv[1]), files=files, processes=2)
case.target.mkdir()
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(case.target)], check=True)
try:
    case.run()
except CairnError as error:
    assert 100 < len(case.there) < 300, len(case.there)
    assert case.there.items() < files.items()
    print(error.code, error.detail)
"""
    who = [] if os.geteuid() == 0 else ["--map-root-user"]
    python = ["unshare", "--mount", *who, sys.executable, "-c", script, str(case.root)]

    done = subprocess.run(python, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False)

    said = "destination_full The destination takes nothing more: no space left on device.\n"
    assert (done.stdout, done.returncode) == (said, 0), done.stderr


def test_a_process_that_somebody_else_ends_leaves_nothing_out_unsaid(case: Case) -> None:
    case.files = LARGER
    in_the_midst(case, writers, signal.SIGTERM)

    with pytest.raises(WriterDied):
        replace(case, processes=2).run()


def test_a_restore_that_ends_early_tells_what_was_written(case: Case) -> None:
    case.files = LARGER
    looks = iter(range(10**6))
    case.is_cancelled = lambda: next(looks) > 2 * len(LARGER)

    with pytest.raises(Cancelled):
        case.run()

    written = [path for path, outcome in case.outcomes.items() if outcome == "ok"]
    assert {path.lstrip("/") for path in written} == set(case.there)
    assert 0 < len(written) < len(LARGER)


@pytest.mark.parametrize("processes", [0, 1])
def test_a_damaged_file_amid_directories_that_are_closed_costs_nothing_else(case: Case, processes: int) -> None:
    def make_tree(writer: RepositoryWriter) -> str:
        wrong = writer.data(b"another content", called="cd" * 32)
        bad = node("b", "file", size=15, content=[wrong])
        good = [node(name, "file", size=4, content=[writer.data(b"good")]) for name in ("a", "c")]
        below = writer.tree([good[0], bad, good[1]])
        return writer.tree([node(f"d{n:03}", "dir", subtree=below, mode=0o555 | 1 << 31) for n in range(200)])

    case.make_tree = make_tree

    case.processes = processes
    figures = case.run()

    assert {each.code for each in case.problems.kept} == {"repository_damaged"}
    assert (figures.written, case.problems.count) == (400, 200)
    made = [path.stat() for path in case.target.iterdir()]
    assert {(stat.S_IMODE(each.st_mode), each.st_mtime_ns) for each in made} == {(0o555, MODIFIED_NS)}


def test_what_processes_use_counts_once(case: Case) -> None:
    case.files, case.processes = LARGER, 3

    figures = case.run()

    written = case.meter.read().written_bytes
    assert written is not None
    assert figures.bytes <= written < 1.3 * figures.bytes


def test_where_processes_cannot_start_the_worker_writes_alone_and_says_so(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(case.root / "no-python"))

    figures = case.run()

    assert case.there == FILES
    assert figures.verified == len(FILES)
    assert any("writes alone" in line for line in case.log)


@pytest.mark.parametrize("is_remote", [False, True])
def test_files_in_many_directories_need_few_descriptors(case: Case, *, is_remote: bool) -> None:
    case.files, case.is_remote, case.processes = {f"{n}/{n}": b"%d" % n for n in range(600)}, is_remote, 4
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        figures = case.run()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

    assert (figures.verified, case.problems.count) == (600, 0)
    assert case.there == case.files


def test_a_file_whose_numbers_are_too_large_to_be_told_comes_back(case: Case) -> None:
    case.make_tree = lambda writer: writer.tree(
        [node("a", "file", size=4, content=[writer.data(b"good")], inode=1 << 70, device_id=5)]
    )

    case.run()

    assert case.there == {"a": b"good"}


def writers() -> list[psutil.Process]:
    """The processes that write files for a restore of this one, which has servers of other tests below it as well."""
    below = psutil.Process().children(recursive=True)
    return [each for each in below if writer_process.__name__ in each.cmdline()]


def in_the_midst(
    case: Case, victims: Callable[[], list[psutil.Process]], number: signal.Signals
) -> list[psutil.Process]:
    """Send processes a signal when they have begun to write, and much is to come; which they were."""
    looks, chosen = iter(range(10**6)), list[psutil.Process]()

    def look() -> bool:
        if next(looks) == len(LARGER) + len(LARGER) // 3:
            chosen.extend(victims())
            for each in chosen:
                each.send_signal(number)
        return False

    case.is_cancelled = look
    return chosen


def test_what_cannot_be_given_is_told_in_words_however_much_that_is(case: Case) -> None:
    # More words than a socket takes at once, while more files are sent.
    refused = [extended(f"system.{'x' * 200}-{n}", b"v") for n in range(5)]

    def make_tree(writer: RepositoryWriter) -> str:
        content = [writer.data(b"the same")]
        return writer.tree(
            [node(f"{n:05}", "file", size=8, content=content, extended_attributes=refused) for n in range(2000)]
        )

    case.make_tree = make_tree

    case.run(root_owns=True)

    assert case.problems.count == 2000
    assert len(case.there) == 2000


def with_each_path(case: Case, happens: Callable[[str, str], None]) -> Case:
    """The case, in which something happens whenever it is told what became of a path."""
    tell = case.tell

    def told(path: str, outcome: str) -> None:
        tell(path, outcome)
        happens(path, outcome)

    case.tell = told  # type: ignore[method-assign]
    return case
