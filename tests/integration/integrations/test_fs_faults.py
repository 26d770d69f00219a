"""Directories that list what cannot be had: nothing of that goes by in silence."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from connector.jobs.vanished_files import NOT_THERE
from integrations.fs.integration import FsIntegration
from integrations.sdk.environment import WorkerEnvironment
from restic_reader import Node, Repository

from tests.integration.integrations.conftest import Configure, needs_mount
from tests.support.fuse import Unseen, mounted
from tests.support.jobs import Jobs


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The directory that is backed up."""
    (root := tmp_path / "root").mkdir()
    return root


@pytest.fixture
def jobs(tmp_path: Path, restic: Path, initialized: Path) -> Jobs:
    return Jobs(restic, tmp_path / "jobs", initialized=initialized)


@needs_mount
async def test_what_is_listed_and_cannot_be_had_is_named(
    environment: WorkerEnvironment, configure: Configure, root: Path, jobs: Jobs
) -> None:
    tree = {
        "good": b"data",
        "lost": errno.ENOENT,
        "broken": errno.EIO,
        "folder": {"lost\nbelow": errno.ENOENT, "ignored": errno.ENOENT},
        "failing": {"": errno.EIO, "unseen": b"data"},
    }

    with mounted(root, tree):
        ended = await jobs.run(
            FsIntegration(environment), configure("source", "fs", root=str(root)), ignores=("/folder/ignored",)
        )

    missing = "its directory lists it, but there is no such file"
    assert ended.code == "backup_incomplete"
    assert ended.files == {"good": b"data"}
    assert ended.detail.startswith("4 files or directories could not be read: ")
    for told in (f"/lost ({missing})", f"/folder/lost\\nbelow ({missing})", "/broken (input", "/failing (input"):
        assert told in ended.detail


@needs_mount
async def test_what_an_engine_did_not_meet_is_told(
    environment: WorkerEnvironment, configure: Configure, root: Path, jobs: Jobs
) -> None:
    """restic passes over a file that is gone when it gets to it, without a word."""
    tree = {
        "good": b"data",
        "passing": Unseen(b"there before and after", by="restic"),
        "removed\nmeanwhile": Unseen(b"there before", by="restic", for_good=True),
        "ignored": Unseen(b"left out anyway", by="restic"),
        "folder": {"passing": Unseen(b"there as well", by="restic")},
    }

    with mounted(root, tree):
        ended = await jobs.run(
            FsIntegration(environment), configure("source", "fs", root=str(root)), ignores=("/ignored",)
        )

    assert ended.code == "backup_incomplete"
    assert ended.files == {"good": b"data"}
    assert ended.detail.startswith("2 files or directories could not be read: ")
    for path in ("/passing", "/folder/passing"):
        assert f"{path} ({NOT_THERE})" in ended.detail
    assert "Removed while the source was read: /removed\\nmeanwhile" in ended.lines
    assert "ignored" not in ended.text


class NothingLookedUp(Repository):
    """A repository in which nothing is found by its path, as a comparison with a listing would."""

    def resolve(self, *_: Any, **__: Any) -> Node:
        raise AssertionError


async def test_a_restore_point_that_has_all_that_was_listed_is_not_read_for_that(
    environment: WorkerEnvironment, configure: Configure, root: Path, tmp_path: Path, restic: Path, initialized: Path
) -> None:
    jobs = Jobs(restic, tmp_path / "jobs", initialized=initialized, repository=NothingLookedUp)
    (root / "folder" / "empty").mkdir(parents=True)
    (root / "folder" / b"caf\xe9".decode("utf-8", "surrogateescape")).write_bytes(b"odd")
    (root / "file").write_bytes(b"data")
    (root / "second").hardlink_to(root / "file")
    (root / "link").symlink_to("file")
    (root / "ignored.tmp").touch()
    os.mkfifo(root / "pipe")

    ended = await jobs.run(FsIntegration(environment), configure("source", "fs", root=str(root)), ignores=("*.tmp",))

    assert ended.code == ""
    assert len(ended.files) == 3
