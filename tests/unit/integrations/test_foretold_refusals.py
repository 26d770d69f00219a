"""What a directory tells before anything is written to it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from connector.programs import open_program
from contracts.task_types.restore import Keep
from contracts.values import AppId, OrganizationId
from integrations.fs.destination_directory import open_directory
from integrations.fs.restorable_types import require_restorable
from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.conformance import a_file
from integrations.sdk.environment import WorkerEnvironment
from integrations.sdk.errors import DestinationRefused
from integrations.sdk.ports.destination import NotWritten, RestoreRequest
from restic_reader import Node

from tests.support.unprivileged import as_another_user

_HERE = Path(__file__)
_IN_A_READ_ONLY_PLACE = """
import json, subprocess, sys
from pathlib import Path
from tests.unit.integrations.test_foretold_refusals import told

root = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", str(root / "mounted")], check=True)
folders = ("", "folder")
print(json.dumps([told(root, folder=folder, dry_run=dry_run) for folder in folders for dry_run in (True, False)]))
"""


def told(
    here: Path,
    *,
    folder: str = "",
    dry_run: bool,
    keep: Keep = Keep(),  # noqa: B008 - frozen
    lines: list[str] | None = None,
) -> str:
    """What a restore into `mounted` is told by the time that it has come to its first file."""
    environment = WorkerEnvironment(open_program=open_program, rclone="rclone", work_dir=here / "work")
    destination = AppConfiguration(
        app_id=AppId("app"),
        organization_id=OrganizationId("org"),
        kind="destination",
        protocol="fs",
        fields={"root": f"{here}/mounted"},
    )
    restore, file = RestoreRequest(job_id="job", folder=folder, dry_run=dry_run, keep=keep), a_file("a", b"x")
    log = [] if lines is None else lines
    try:
        with open_directory(destination, restore, environment, on_log=lambda _, text: log.append(text)) as opened:
            if dry_run:
                opened.require_keepable(file)
            else:
                opened.write(file, iter((b"x",)))
    except DestinationRefused as error:
        return error.detail
    return ""


def test_a_dry_run_is_refused_by_what_is_mounted_read_only_as_the_restore_is(tmp_path: Path) -> None:
    for name in ("mounted", "work"):
        (tmp_path / name).mkdir()
    who = [] if os.geteuid() == 0 else ["--map-root-user"]
    python = ["unshare", "--mount", *who, sys.executable, "-c", _IN_A_READ_ONLY_PLACE, str(tmp_path)]

    done = subprocess.run(python, cwd=_HERE.parents[3], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    mounted, unmade = "The destination is mounted read-only.", "folder cannot be made: read-only file system."
    assert json.loads(done.stdout) == [mounted, mounted, *[f"{tmp_path}/mounted/{unmade}"] * 2]


def test_a_folder_that_cannot_be_made_is_told_by_a_dry_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("mounted", "work"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(os, "access", lambda *_, **__: False)

    assert told(tmp_path, folder="a/b", dry_run=True).endswith("/mounted/a/b cannot be made: permission denied.")
    assert not list((tmp_path / "mounted").iterdir())


def test_a_dry_run_into_what_can_be_written_is_told_nothing(tmp_path: Path) -> None:
    for name in ("mounted", "work"):
        (tmp_path / name).mkdir()

    assert [told(tmp_path, folder=folder, dry_run=True) for folder in ("", "a/b")] == ["", ""]
    assert not list((tmp_path / "mounted").iterdir())


@pytest.mark.parametrize(
    ("keep", "user", "is_told"),
    [
        (Keep(), 0, False),
        (Keep(owner=False), 0, True),
        (Keep(owner=False, mode=False), 0, False),
        (Keep(), 1000, True),
        (Keep(mode=False), 1000, False),
    ],
)
def test_it_is_told_that_bits_that_lend_rights_are_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, keep: Keep, user: int, *, is_told: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    for name in ("mounted", "work"):
        (tmp_path / name).mkdir()
    lines: list[str] = []

    assert not told(tmp_path, dry_run=False, keep=keep, lines=lines)

    words = "Setuid and setgid bits are not given back to files that had another owner or group."
    assert (words in lines) is is_told


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize(
    ("type_", "device", "is_made"), [("dev", 7, False), ("chardev", 7, False), ("chardev", 0, True)]
)
def test_a_device_that_this_process_may_not_make_is_told_before(type_: str, device: int, *, is_made: bool) -> None:
    node = Node(quoted_name="x", type=type_, device=device)

    def told() -> str:
        try:
            require_restorable(node)
        except NotWritten as error:
            return error.reason
        return "made"

    assert (as_another_user(told) == "made") is is_made
