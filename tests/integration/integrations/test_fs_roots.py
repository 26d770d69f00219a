"""The root of a source: one that is replaced while it is read, and one that may not be listed."""

import asyncio
import errno
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from integrations.fs.integration import FsIntegration
from integrations.fs.roots import hold_directory
from integrations.sdk.environment import WorkerEnvironment
from integrations.sdk.errors import SourceMissing, SourceReplaced
from integrations.sdk.locations import SourceTree

from tests.integration.integrations.conftest import Configure, Log
from tests.support.descriptors import open_files
from tests.support.jobs import Jobs
from tests.support.unprivileged import write_unprivileged

Swap = Callable[[Path], None]


def by_a_link(root: Path) -> None:
    root.rename(root.with_name("moved"))
    root.symlink_to(root.with_name("secret"))


def by_a_directory(root: Path) -> None:
    root.rename(root.with_name("moved"))
    root.with_name("secret").rename(root)


def by_a_link_above(root: Path) -> None:
    root.parent.rename(root.parent.with_name("moved"))
    root.parent.symlink_to(root.parent.with_name("other"))


replaced = pytest.mark.parametrize("swap", [by_a_link, by_a_directory, by_a_link_above])


class Hasty(FsIntegration):
    """Somebody replaces the root as soon as it was looked at."""

    swap: Swap

    @asynccontextmanager
    async def open_source(self, *args: Any, **options: Any) -> AsyncIterator[SourceTree]:
        async with super().open_source(*args, **options) as tree:
            self.swap(tree.directory)
            yield tree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("above/source", "above/secret", "other/source"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_text(name)
    return tmp_path / "above" / "source"


@replaced
async def test_a_root_that_is_replaced_before_it_is_read_fails_the_job(
    swap: Swap, root: Path, environment: WorkerEnvironment, configure: Configure, restic: Path, initialized: Path
) -> None:
    jobs, fs = Jobs(restic, root.parent.parent / "jobs", initialized=initialized), Hasty(environment)
    fs.swap = swap

    ended = await jobs.run(fs, configure("source", "fs", root=str(root)))

    assert ended.code == "source_replaced"
    assert ended.detail.startswith(f"Another directory took the place of {root} while it was read")
    assert snapshots(jobs) == []


async def test_a_root_that_is_replaced_while_it_is_read_fails_the_job(
    root: Path, environment: WorkerEnvironment, configure: Configure, restic: Path, initialized: Path
) -> None:
    program = root.parent.parent / "restic"
    program.write_text(
        f"#!{sys.executable} -IS\nimport os, sys\n"
        f"if 'backup' in sys.argv:\n    os.rename({str(root)!r}, {str(root) + '.old'!r})\n"
        f"    os.symlink({str(root.with_name('secret'))!r}, {str(root)!r})\n"
        f"os.execv({str(restic)!r}, [{str(restic)!r}, *sys.argv[1:]])\n"
    )
    program.chmod(0o755)
    jobs = Jobs(program, root.parent.parent / "jobs", initialized=initialized)

    ended = await jobs.run(FsIntegration(environment), configure("source", "fs", root=str(root)))

    assert ended.code == "source_replaced"
    assert snapshots(jobs) == []


@pytest.mark.parametrize("swap", [by_a_link, by_a_link_above])
def test_no_directory_is_held_in_the_place_of_another(swap: Swap, root: Path) -> None:
    swap(root)

    with pytest.raises(SourceReplaced), hold_directory(root, shown="/source"):
        pass


def test_a_worker_without_room_for_descriptors_does_not_speak_of_another_directory(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("integrations.fs.roots.os.open", no_room)

    with pytest.raises(SourceMissing, match="cannot be reached: Too many open files"), hold_directory(root, shown="/s"):
        pass


async def test_the_descriptor_of_a_root_is_given_back(
    root: Path, environment: WorkerEnvironment, configure: Configure, log: Log, cancel: asyncio.Event
) -> None:
    fs, before = FsIntegration(environment), open_files()

    async with fs.open_source(configure("source", "fs", root=str(root)), on_log=log.add, cancel=cancel) as tree:
        assert tree.is_in_place
        assert (tree.read_path / "file").read_text() == "above/source"
        assert open_files() == before + 1

    assert open_files() == before


async def test_a_root_that_may_be_entered_and_not_listed_is_named(
    root: Path, environment: WorkerEnvironment, configure: Configure, restic: Path, initialized: Path
) -> None:
    program = write_unprivileged(root.parent.parent / "restic", restic)
    jobs = Jobs(program, root.parent.parent / "jobs", initialized=initialized)
    root.chmod(0o311)

    ended = await jobs.run(FsIntegration(environment), configure("source", "fs", root=str(root)))

    root.chmod(0o700)
    told = f"Nothing in the source could be read: {root} (permission denied)"
    assert (ended.code, ended.detail) == ("source_unreadable", told)


class Reused(FsIntegration):
    """An inode of Cairn's own that is a directory of the user's by now."""

    @asynccontextmanager
    async def open_source(self, *args: Any, **options: Any) -> AsyncIterator[SourceTree]:
        async with super().open_source(*args, **options) as tree:
            facts = (tree.directory / "mine").stat()
            yield replace(tree, guarded=tree.guarded | {(facts.st_dev, facts.st_ino)})


async def test_a_directory_with_an_inode_that_was_guarded_is_read(
    root: Path, environment: WorkerEnvironment, configure: Configure, restic: Path, initialized: Path
) -> None:
    jobs = Jobs(restic, root.parent.parent / "jobs", initialized=initialized)
    (root / "mine").mkdir()
    (root / "mine" / "b").write_bytes(b"kept")

    ended = await jobs.run(Reused(environment), configure("source", "fs", root=str(root)))

    assert (ended.code, ended.files["mine/b"]) == ("", b"kept")
    assert "on purpose" not in ended.text
    assert len(snapshots(jobs)) == 1


def snapshots(jobs: Jobs) -> list[Path]:
    return list((Path(jobs.store().address) / "snapshots").iterdir())
