"""Directories that list what cannot be had: nothing of that goes by in silence."""

import errno
from pathlib import Path

import pytest
from connector.integrations.fs.integration import FsIntegration
from connector.integrations.rclone.mount import why_not_mount
from connector.integrations.surroundings import Surroundings

from tests.integration.integrations.conftest import Configure
from tests.support.fuse import mounted
from tests.support.jobs import Jobs

pytestmark = pytest.mark.skipif(bool(why_not_mount()), reason=f"no mounts here: {why_not_mount()}")


async def test_what_is_listed_and_cannot_be_had_is_named(
    surroundings: Surroundings, configure: Configure, tmp_path: Path, restic: Path, initialized: Path
) -> None:
    root = tmp_path / "network"
    root.mkdir()
    tree = {
        "good": b"data",
        "lost": errno.ENOENT,
        "broken": errno.EIO,
        "folder": {"lost\nbelow": errno.ENOENT, "ignored": errno.ENOENT},
        "failing": {"": errno.EIO, "unseen": b"data"},
    }
    jobs = Jobs(restic, tmp_path / "jobs", initialized=initialized)

    with mounted(root, tree):
        ended = await jobs.run(
            FsIntegration(surroundings), configure("source", "fs", root=str(root)), ignores=("/folder/ignored",)
        )

    missing = "its directory lists it, but there is no such file"
    assert ended.code == "backup_incomplete"
    assert ended.files == {"good": b"data"}
    assert ended.detail.startswith("4 files or directories could not be read: ")
    for told in (f"/lost ({missing})", f"/folder/lost\\nbelow ({missing})", "/broken (input", "/failing (input"):
        assert told in ended.detail
