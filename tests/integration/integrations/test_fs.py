"""Directories as sources, stores and destinations."""

import asyncio
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from connector.app import build_integrations
from connector.engine.port import BackupOptions
from connector.engine.restic import ResticEngine, ResticSettings
from connector.programs import open_program
from connector.settings import Settings
from contracts.messages.connector.connection_tests import TestReport
from integrations.fs.integration import FsIntegration
from integrations.sdk.environment import WorkerEnvironment
from integrations.sdk.errors import ConfigurationUnusable, RootForbidden, SourceMissing
from restic_reader import Repository

from tests.integration.integrations.conftest import Configure, Log
from tests.support.reports import failure, outcome
from tests.support.unprivileged import write_unprivileged


@pytest.fixture
def fs(environment: WorkerEnvironment) -> FsIntegration:
    return FsIntegration(environment)


async def test_a_readable_directory_passes_as_source(fs: FsIntegration, configure: Configure, tmp_path: Path) -> None:
    report = await fs.test(configure("source", "fs", root=str(tmp_path)))

    assert report.ok
    assert outcome(report) == {"reachable": True, "listable": True}
    assert report.initialized is None
    assert all(check.duration_ms >= 0 for check in report.checks)


async def test_a_fresh_directory_passes_as_store(fs: FsIntegration, configure: Configure, tmp_path: Path) -> None:
    report = await fs.test(configure("store", "fs", root=str(tmp_path), passphrase="open sesame"))

    assert report.ok
    assert outcome(report) == {"reachable": True, "listable": True, "writable": True, "initialized": True}
    assert report.initialized is False
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state"]


async def test_a_store_that_is_not_there_yet_can_be_made(
    fs: FsIntegration, configure: Configure, tmp_path: Path
) -> None:
    report = await fs.test(configure("store", "fs", root=str(tmp_path / "new")))

    assert report.ok
    assert not (tmp_path / "new").exists()
    assert report.initialized is False


@pytest.mark.parametrize(("kind", "root"), [("source", "nowhere"), ("store", "no/where"), ("destination", "no/where")])
async def test_a_path_that_does_not_exist_is_named(
    fs: FsIntegration, configure: Configure, tmp_path: Path, kind: str, root: str
) -> None:
    report = await fs.test(configure(kind, "fs", root=str(tmp_path / root)))

    assert not report.ok
    assert failure(report) == ("reachable", f"path_missing: {tmp_path / root} does not exist.")


async def test_a_file_is_no_directory(fs: FsIntegration, configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    report = await fs.test(configure("source", "fs", root=str(tmp_path / "file")))

    assert failure(report) == ("reachable", f"not_a_directory: {tmp_path / 'file'} is not a directory.")


async def test_passphrase_of_a_repository_is_tried(
    fs: FsIntegration, configure: Configure, restic: Path, tmp_path: Path
) -> None:
    right = configure("store", "fs", root=str(tmp_path / "store"), passphrase="open sesame")
    wrong = configure("store", "fs", root=str(tmp_path / "store"), passphrase="open barley")
    missing = configure("store", "fs", root=str(tmp_path / "store"))
    engine = ResticEngine(ResticSettings(program=str(restic), cache_dir=tmp_path / "cache"))
    await engine.initialize(fs.store_location(right))

    reports = [await fs.test(configuration) for configuration in (right, wrong, missing)]

    assert [report.ok for report in reports] == [True, False, False]
    assert [report.initialized for report in reports] == [True, True, True]
    assert failure(reports[1])[0] == failure(reports[2])[0] == "passphrase"
    assert "does not open" in failure(reports[1])[1]
    assert "open barley" not in reports[1].model_dump_json()
    with Repository.open(fs.repository_files(right), "open sesame") as repository:
        assert repository.snapshots() == []


@pytest.mark.parametrize(("noted", "code"), [(None, "store_half_initialized"), ("f" * 64, "repository_missing")])
async def test_data_without_a_config_is_no_place_for_a_new_store(
    fs: FsIntegration, configure: Configure, tmp_path: Path, noted: str | None, code: str
) -> None:
    pack = tmp_path / "store" / "data" / "ab" / ("ab" * 32)
    pack.parent.mkdir(parents=True)
    pack.touch()
    store = configure("store", "fs", root=str(tmp_path / "store"), passphrase="open sesame")

    report = await fs.test(replace(store, repository_id=noted))

    assert report.initialized is False
    name, detail = failure(report)
    assert (name, detail.partition(":")[0]) == ("initialized", code)
    assert "`config`" in detail


@pytest.mark.parametrize("trick", ["inside", "below", "link", "dots", "link to a parent", "work"])
async def test_own_state_is_never_a_root(fs: FsIntegration, configure: Configure, tmp_path: Path, trick: str) -> None:
    (tmp_path / "state" / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "state")
    (tmp_path / "up").symlink_to(tmp_path)
    roots = {
        "inside": "state",
        "below": "state/data/new",
        "link": "link/data",
        "dots": "elsewhere/../state/data",
        "link to a parent": "up/up/state",
        "work": "work/sources",
    }
    configuration = configure("store", "fs", root=f"{tmp_path}/{roots[trick]}", passphrase="open sesame")

    report = await fs.test(configuration)

    assert failure(report)[0] == "reachable"
    assert failure(report)[1].startswith("root_forbidden: ")
    with pytest.raises(RootForbidden):
        fs.store_location(configuration)
    with pytest.raises(RootForbidden):
        fs.repository_files(configuration)


@pytest.mark.parametrize("root", ["/proc", "/proc/self", "/sys/kernel/new", "/proc/self/task/../fd"])
async def test_no_root_lies_in_what_the_kernel_makes_up(fs: FsIntegration, configure: Configure, root: str) -> None:
    report = await fs.test(configure("source", "fs", root=root))

    assert failure(report)[1].startswith("root_forbidden: ")
    assert "which the kernel makes up" in failure(report)[1]
    with pytest.raises(RootForbidden):
        fs.store_location(configure("store", "fs", root=root, passphrase="open sesame"))


@pytest.mark.parametrize("root", ["outside", "allowed/out", "allowed/../outside", "allowedtoo"])
async def test_only_allowed_directories_can_be_roots(
    environment: WorkerEnvironment, configure: Configure, tmp_path: Path, root: str, log: Log, cancel: asyncio.Event
) -> None:
    for name in ("allowed", "outside", "allowedtoo"):
        (tmp_path / name).mkdir()
    (tmp_path / "allowed" / "out").symlink_to(tmp_path / "outside")
    limited = WorkerEnvironment(
        open_program=open_program,
        rclone=environment.rclone,
        work_dir=environment.work_dir,
        allowed_roots=(tmp_path / "allowed",),
    )
    fs = FsIntegration(limited)

    with pytest.raises(RootForbidden):
        async with fs.open_source(configure("source", "fs", root=f"{tmp_path}/{root}"), on_log=log.add, cancel=cancel):
            pass
    allowed = fs.store_location(configure("store", "fs", root=f"{tmp_path}/allowed/store", passphrase="open sesame"))
    assert allowed.local_path == tmp_path / "allowed" / "store"


@pytest.mark.parametrize("root", ["", "relative/path", "/with\0nul"])
async def test_roots_that_cannot_be_right_are_refused(fs: FsIntegration, configure: Configure, root: str) -> None:
    with pytest.raises(ConfigurationUnusable):
        fs.store_location(configure("store", "fs", root=root))
    assert not (await fs.test(configure("store", "fs", root=root))).ok


async def test_a_source_around_the_state_leaves_it_out(
    fs: FsIntegration, configure: Configure, tmp_path: Path, log: Log, cancel: asyncio.Event
) -> None:
    async with fs.open_source(configure("source", "fs", root=str(tmp_path)), on_log=log.add, cancel=cancel) as tree:
        assert tree.directory == tmp_path
        assert set(tree.excludes) == {tmp_path / "state", tmp_path / "work"}


async def test_a_backup_never_holds_the_keys_of_the_worker(
    configure: Configure, tmp_path: Path, log: Log, cancel: asyncio.Event, restic: Path
) -> None:
    source, keys = tmp_path / "source", tmp_path / "source" / "etc"
    keys.mkdir(parents=True)
    (source / "file").write_bytes(b"file")
    for name in ("master [1].key", "service.key"):
        (keys / name).write_bytes(b"canary")
    settings = Settings(
        master_key_file=keys / "master [1].key",
        service_key_file=keys / "service.key",
        allowed_roots=(tmp_path,),
        work_dir=tmp_path / "work",
    )
    fs = build_integrations(settings).connection_test("fs")
    store = configure("store", "fs", root=str(tmp_path / "store"), passphrase="open sesame")
    engine = ResticEngine(ResticSettings(program=str(restic), cache_dir=tmp_path / "cache"))
    await engine.initialize(fs.store_location(store))

    async with fs.open_source(configure("source", "fs", root=str(source)), on_log=log.add, cancel=cancel) as tree:
        made = await engine.backup(
            fs.store_location(store),
            tree,
            options=BackupOptions(host="here"),
            on_progress=lambda _: None,
            on_log=log.add,
            cancel=cancel,
        )

    with Repository.open(fs.repository_files(store), "open sesame") as repository:
        root = repository.snapshot(made.snapshot_id).tree
        assert repository.resolve(root, b"/file").size == 4
        subtree = repository.resolve(root, b"/etc").subtree
        assert subtree is not None
        assert repository.tree(subtree) == []


async def test_a_source_that_is_gone_is_named(
    fs: FsIntegration, configure: Configure, tmp_path: Path, log: Log, cancel: asyncio.Event
) -> None:
    with pytest.raises(SourceMissing, match="does not exist"):
        async with fs.open_source(
            configure("source", "fs", root=str(tmp_path / "gone")), on_log=log.add, cancel=cancel
        ):
            pass


_TEST_SCRIPT = """
import asyncio, sys
from pathlib import Path
from integrations.sdk.configuration import AppConfiguration
from integrations.fs.integration import FsIntegration
from integrations.sdk.environment import WorkerEnvironment
from connector.programs import open_program

kind, root, work = sys.argv[1:]
fs = FsIntegration(WorkerEnvironment(open_program=open_program, rclone="rclone", work_dir=Path(work)))
app = AppConfiguration(app_id="a", organization_id="o", kind=kind, protocol="fs", fields={"root": root})
print(asyncio.run(fs.test(app)).model_dump_json())
"""


@pytest.mark.parametrize(
    ("kind", "mode", "step", "what"),
    [
        ("source", 0o000, "listable", "listed"),
        ("store", 0o000, "listable", "listed"),
        ("destination", 0o555, "writable", "written"),
    ],
)
def test_a_directory_that_may_not_be_read_or_written_is_told(
    tmp_path: Path, kind: str, mode: int, step: str, what: str
) -> None:
    (tmp_path / "secret").mkdir(mode=mode)
    python = write_unprivileged(tmp_path / "python", Path(sys.executable))
    command = [str(python), "-c", _TEST_SCRIPT, kind, str(tmp_path / "secret"), str(tmp_path / "work")]

    done = subprocess.run(command, capture_output=True, check=True)

    report = TestReport.model_validate_json(done.stdout)
    assert failure(report) == (step, f"permission_denied: {tmp_path / 'secret'} cannot be {what}: permission denied.")


def test_links_that_may_not_be_followed_are_told_in_words(tmp_path: Path) -> None:
    python = write_unprivileged(tmp_path / "python", Path(sys.executable))
    command = [str(python), "-c", _TEST_SCRIPT, "source", "/proc/1/cwd", str(tmp_path / "work")]

    done = subprocess.run(command, capture_output=True, check=True)

    report = TestReport.model_validate_json(done.stdout)
    assert failure(report) == (
        "reachable",
        "root_unresolvable: /proc/1/cwd cannot be followed to where it leads: Permission denied.",
    )


_SOURCE_SCRIPT = """
import asyncio, sys
from pathlib import Path
from contracts.errors import CairnError
from integrations.sdk.locations import SourceTree, StoreLocation
from connector.engine.port import BackupOptions
from connector.engine.restic import ResticEngine, ResticSettings
from integrations.sdk.configuration import AppConfiguration
from integrations.fs.integration import FsIntegration
from integrations.sdk.environment import WorkerEnvironment
from connector.programs import open_program

root, work = sys.argv[1], Path(sys.argv[2])
fs = FsIntegration(WorkerEnvironment(open_program=open_program, rclone="rclone", work_dir=work))
engine = ResticEngine(ResticSettings(program="restic", cache_dir=work))
app = AppConfiguration(app_id="a", organization_id="o", kind="source", protocol="fs", fields={"root": root})
nothing = {"on_log": lambda *_: None, "cancel": asyncio.Event()}

async def open_source():
    async with fs.open_source(app, **nothing):
        pass

async def back_up():
    tree, store = SourceTree(directory=Path(root), origin=root), StoreLocation(address="/nowhere", passphrase="x")
    await engine.backup(store, tree, options=BackupOptions(host="h"), on_progress=lambda _: None, **nothing)

for attempt in (open_source, back_up):
    try:
        asyncio.run(attempt())
    except CairnError as error:
        print(error.code, error.detail)
"""


@pytest.mark.parametrize(
    ("root", "code", "words"),
    [
        ("closed", "source_refused", "Permission denied"),
        ("closed/below", "source_refused", "Permission denied"),
        ("x/" * 3000, "source_missing", "File name too long"),
    ],
    ids=["closed root", "closed parent", "long"],
)
def test_a_source_that_may_not_be_entered_is_told(tmp_path: Path, root: str, code: str, words: str) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "below").mkdir()
    (tmp_path / "closed").chmod(0)
    python = write_unprivileged(tmp_path / "python", Path(sys.executable))
    command = [str(python), "-c", _SOURCE_SCRIPT, str(tmp_path / root), str(tmp_path / "work")]

    opened, backed_up = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()

    assert opened.startswith(f"{code} ")
    assert backed_up.startswith("source_missing ")
    assert words in opened
    assert words in backed_up
