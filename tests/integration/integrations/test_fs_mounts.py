"""Directories in which something is mounted: Cairn's own state, what the kernel makes up, disks."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

_SCRIPT = """
import asyncio, json, subprocess, sys
from pathlib import Path
from contracts.errors import CairnError
from connector.engine.port import BackupOptions
from connector.engine.restic import ResticEngine, ResticSettings
from integrations.sdk.configuration import AppConfiguration
from integrations.fs.integration import FsIntegration
from integrations.sdk.environment import WorkerEnvironment
from connector.programs import open_program
from restic_reader import Repository
from contracts.paths import shown

here, task = Path(sys.argv[1]), json.loads(sys.argv[2])
for command in task["commands"]:
    subprocess.run(command.split(), check=True, cwd=here)
fs = FsIntegration(WorkerEnvironment(
    open_program=open_program, rclone="rclone",
    work_dir=here / "work", state_dirs=(here / "state",), key_files=(here / "etc" / "service.key",)
))
engine = ResticEngine(ResticSettings(program=task["restic"], cache_dir=here / "work" / "cache"))
told = {"log": [], "code": None, "detail": "", "problems": [], "paths": []}
on_log, cancel = (lambda level, text: told["log"].append([level, text])), asyncio.Event()

def app(kind, root):
    fields = {"root": str(root), "passphrase": "open sesame"}
    return AppConfiguration(app_id="a", organization_id="o", kind=kind, protocol="fs", fields=fields)

def walk(repository, tree, path):
    for node in repository.tree(tree):
        here = f"{path}/{shown(node.name)}"
        told["paths"].append(here)
        if node.subtree is not None:
            walk(repository, node.subtree, here)

async def back_up():
    store = app("store", here / "store")
    await engine.initialize(fs.store_location(store))
    async with fs.open_source(app("source", here / task["root"]), on_log=on_log, cancel=cancel) as tree:
        made = await engine.backup(fs.store_location(store), tree, options=BackupOptions(host="h", **task["options"]),
            on_progress=lambda _: None, on_log=on_log, cancel=cancel)
    told["problems"] = [[p.path, p.reason] for p in made.problems]
    told["count"] = len(await engine.find_snapshots(fs.store_location(store)))
    with Repository.open(fs.repository_files(store), "open sesame") as repository:
        walk(repository, repository.snapshot(made.snapshot_id).tree, "")

try:
    asyncio.run(back_up())
except CairnError as error:
    told |= {"code": error.code, "detail": error.detail}
print(json.dumps(told))
"""

_RESTORE = """
import asyncio, json, subprocess, sys
from pathlib import Path
from integrations.fs.integration import FsIntegration
from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.conformance import a_file
from integrations.sdk.environment import WorkerEnvironment
from integrations.sdk.errors import RootForbidden
from integrations.sdk.ports.destination import GuardedPlace, NotWritten, RestoreRequest
from connector.programs import open_program

here = Path(sys.argv[1])
for command in ("mount --bind store alias", "mount --bind . around/state"):
    subprocess.run(command.split(), check=True, cwd=here)
fs = FsIntegration(WorkerEnvironment(open_program=open_program, rclone="rclone", work_dir=here / "work"))
guarded = GuardedPlace(why="it belongs to the store that is restored from", path=here / "store")
restore = RestoreRequest(job_id="job", guarded=(guarded,))

async def write(root, path):
    fields = {"root": str(root)}
    app = AppConfiguration(app_id="a", organization_id="o", kind="destination", protocol="fs", fields=fields)
    try:
        async with fs.open_destination(app, restore, on_log=lambda *_: None, cancel=asyncio.Event()) as opened:
            opened.write(a_file(path, b"x"), iter((b"x",)))
    except RootForbidden as error:
        return error.detail
    except NotWritten as error:
        return error.reason
    return "written"

places = {"alias": "config", "around/state/store/new": "config", "around": "state/store/config", ".": "alias/config"}
print(json.dumps([asyncio.run(write(here / root, path)) for root, path in places.items()]))
"""


@dataclass
class Told:
    """What came of a backup."""

    code: str | None
    detail: str
    log: list[tuple[str, str]]
    problems: list[tuple[str, str]]
    paths: list[str]
    count: int = 0

    @property
    def left_out(self) -> list[str]:
        """What the log says was left out on purpose."""
        return sorted(text.partition(" is left out on purpose")[0] for _, text in self.log if "on purpose" in text)


@dataclass
class Place:
    """A source, Cairn's own state beside it, and a namespace of mounts of its own for each backup."""

    here: Path
    restic: Path

    def back_up(self, *commands: str, root: str = "source", **options: object) -> Told:
        """Run commands in the place, mounts for one; then back up, and tell."""
        task = {"commands": commands, "root": root, "options": options, "restic": str(self.restic)}
        who = [] if os.geteuid() == 0 else ["--map-root-user"]
        python = ["unshare", "--mount", *who, sys.executable, "-c", _SCRIPT]
        done = subprocess.run([*python, str(self.here), json.dumps(task)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-4000:]
        return Told(**json.loads(done.stdout))

    def restore_over_the_store(self) -> list[str]:
        """What comes of writing to the store by names that only mounts give it."""
        who = [] if os.geteuid() == 0 else ["--map-root-user"]
        python = ["unshare", "--mount", *who, sys.executable, "-c", _RESTORE, str(self.here)]
        done = subprocess.run(python, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-4000:]
        return list(json.loads(done.stdout))


@pytest.fixture
def place(tmp_path: Path, restic: Path) -> Place:
    for name in ("source/shown", "source/deep/er", "state/keys/old", "state/data", "work", "etc", "around/state"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("source/file", "state/keys/master.key", "state/data/table", "etc/service.key", "etc/fstab"):
        (tmp_path / name).write_text(name)
        (tmp_path / name).chmod(0o600)
    return Place(tmp_path, restic)


USUAL = {"/file", "/shown", "/deep", "/deep/er"}


def test_the_state_and_parts_of_it_are_left_out_wherever_they_are_mounted(place: Place) -> None:
    for name in ("keys", "old", "data", "work"):
        (place.here / "source" / name).mkdir()

    told = place.back_up(
        "mount --bind state source/shown",
        "mount --bind state/keys source/keys",
        "mount --bind state/keys/old source/old",
        "mount --bind work source/work",
        "mount --bind etc/service.key source/file",
        "mount -t tmpfs none state/data",
        "mount --bind state/data source/data",
    )

    assert set(told.paths) == {"/deep", "/deep/er"}
    assert told.left_out == ["/data", "/file", "/keys", "/old", "/shown", "/work"]
    assert told.problems == []


def test_the_state_below_a_directory_that_is_mounted_elsewhere_is_left_out(place: Place) -> None:
    told = place.back_up("mount --rbind . source/deep/er")

    assert "/deep/er/etc/fstab" in told.paths
    assert not [path for path in told.paths if "state" in path and "around" not in path]
    assert not [path for path in told.paths if path.endswith(".key")]
    assert {"/deep/er/state", "/deep/er/etc/service.key", "/deep/er/work"} <= set(told.left_out)


def test_hard_links_of_keys_are_left_out(place: Place) -> None:
    (place.here / "source" / "deep" / "master").hardlink_to(place.here / "state" / "keys" / "master.key")
    (place.here / "source" / "deep" / "service").hardlink_to(place.here / "etc" / "service.key")

    told = place.back_up()

    assert set(told.paths) == USUAL
    assert told.left_out == ["/deep/master", "/deep/service"]
    assert told.count == 1


def test_no_source_is_a_part_of_the_state_under_another_name(place: Place) -> None:
    told = place.back_up("mount --bind state/keys source/shown", root="source/shown")

    assert told.code == "root_forbidden"
    assert "Cairn's own state" in told.detail


def test_the_store_that_is_restored_from_is_left_alone_wherever_it_is_mounted(place: Place) -> None:
    for name in ("store", "alias"):
        (place.here / name).mkdir()

    told = place.restore_over_the_store()

    assert ["the store that is restored from" in each for each in told] == [True] * 4, told
    assert not list((place.here / "store").iterdir())


def test_what_the_kernel_makes_up_is_not_read_and_its_mount_point_kept(place: Place) -> None:
    told = place.back_up("mount --rbind /proc source/shown")

    assert set(told.paths) == USUAL
    assert "/shown" in told.left_out
    assert any("of the type proc is made up by the kernel" in text for _, text in told.log)
    assert told.problems == []


@pytest.mark.parametrize("one_file_system", [False, True])
def test_another_file_system_is_left_out_where_that_is_asked_for(place: Place, *, one_file_system: bool) -> None:
    told = place.back_up(
        "mount -t tmpfs none source/shown",
        "cp source/file source/shown/file",
        "cp source/file source/deep/file",
        "mount --bind source/shown/file source/deep/file",
        one_file_system=one_file_system,
    )

    elsewhere = {"/shown/file", "/deep/file"}
    assert set(told.paths) == (USUAL if one_file_system else USUAL | elsewhere)
    assert told.left_out == (["/deep/file", "/shown"] if one_file_system else [])


@pytest.mark.parametrize("commands", [(), ("mount -t tmpfs none source/deep", "mkdir source/deep/er")])
def test_what_is_mounted_over_what_the_kernel_makes_up_is_read(place: Place, commands: tuple[str, ...]) -> None:
    over = commands or ("mount -t tmpfs none source/deep/er",)

    told = place.back_up("mount -t proc none source/deep/er", *over, "cp source/file source/deep/er/file")

    assert set(told.paths) == USUAL | {"/deep/er/file"}
    assert (told.left_out, told.problems) == ([], [])


def test_a_single_file_that_the_kernel_makes_up_is_not_read(place: Place) -> None:
    told = place.back_up("mount --bind /proc/version source/file")

    assert set(told.paths) == USUAL - {"/file"}
    assert (told.left_out, told.problems) == (["/file"], [])
