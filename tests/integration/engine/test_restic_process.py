"""What only a real restic process can show: secrets, kills, locks, unreadable files, stores that refuse."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from connector.engine.errors import (
    EngineFailed,
    EngineKilled,
    PatternInvalid,
    SourceUnreadable,
    StoreNotInitialized,
    StoreRefused,
    StoreUnreachable,
    TlsMisconfigured,
)
from connector.engine.port import CheckOutcome
from connector.engine.restic import ResticEngine
from integrations.sdk.errors import Cancelled, StoreHalfMade
from integrations.sdk.locations import SourceTree, StoreLocation, UnreadablePath
from opentelemetry import trace

from tests.contracts.engine_suite import Desk, Restore, content
from tests.integration.engine.conftest import PASSPHRASE, NewEngine
from tests.integration.engine.programs import dying, ending, slow, telling
from tests.support.proxy import Proxy, open_proxy
from tests.support.s3 import BUCKET, SECRET_KEY, S3Server, free_port
from tests.support.unprivileged import write_unprivileged
from tests.support.waiting import eventually, eventually_async

TRACE_ID = 0x0AF7651916CD43DD8448EB211C80319C


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "sub" / "file").write_text("content")
    (tmp_path / "tree" / "other").write_text("other")
    return tmp_path / "tree"


@pytest.fixture
def big_tree(tmp_path: Path) -> Path:
    (tmp_path / "big").mkdir()
    for number in range(40):
        (tmp_path / "big" / str(number)).write_bytes(os.urandom(1 << 20))
    return tmp_path / "big"


def make_socket(directory: Path, name: str) -> None:
    """A socket, wherever it lies: the kernel takes no long paths."""
    os.mknod(directory / name, stat.S_IFSOCK | 0o600)


class TestSecrets:
    async def test_they_reach_restic_through_its_environment_only(
        self, new_engine: NewEngine, restic: Path, server: S3Server, tree: Path, tmp_path: Path
    ) -> None:
        notes = tmp_path / "notes"
        desk = Desk(new_engine(program=telling(restic, tmp_path / "restic", notes)))
        store = server.location("secrets", passphrase=PASSPHRASE)
        await desk.engine.initialize(store)
        await desk.backup(store, tree)

        for note in notes.iterdir():
            arguments, _, environment = note.read_bytes().partition(b"\n")
            assert b"canary" not in arguments
            assert repr(SECRET_KEY).encode() in environment
            assert b"RESTIC_PASSWORD" in environment

    async def test_a_backup_is_one_process_that_knows_its_trace(
        self, new_engine: NewEngine, restic: Path, ready: StoreLocation, tree: Path, tmp_path: Path
    ) -> None:
        notes = tmp_path / "notes"
        desk = Desk(new_engine(program=telling(restic, tmp_path / "restic", notes)))
        context = trace.SpanContext(TRACE_ID, 0x00F067AA0BA902B7, is_remote=False, trace_flags=trace.TraceFlags(1))

        with trace.use_span(trace.NonRecordingSpan(context)):
            await desk.backup(ready, tree)

        (note,) = notes.iterdir()
        assert f"{TRACE_ID:032x}".encode() in note.read_bytes()
        assert b"TRACEPARENT" in note.read_bytes()

    @pytest.mark.parametrize(
        ("plenty", "more_memory", "expected"), [(0, True, True), (0, False, False), (1 << 60, True, False)]
    )
    async def test_a_backup_takes_more_memory_to_be_faster_where_there_is_enough(
        self,
        new_engine: NewEngine,
        restic: Path,
        ready: StoreLocation,
        tree: Path,
        tmp_path: Path,
        plenty: int,
        more_memory: bool,
        expected: bool,
    ) -> None:
        notes = tmp_path / "notes"
        program = telling(restic, tmp_path / "restic", notes)
        desk = Desk(new_engine(program=program, garbage_percent=123, plenty_bytes=plenty))

        await desk.backup(ready, tree, more_memory=more_memory)

        (note,) = notes.iterdir()
        assert (b"'GOGC': '123'" in note.read_bytes()) is expected

    async def test_a_backup_takes_as_much_of_the_machine_as_was_asked(
        self, new_engine: NewEngine, restic: Path, ready: StoreLocation, tree: Path, tmp_path: Path
    ) -> None:
        notes = tmp_path / "notes"
        desk = Desk(new_engine(program=telling(restic, tmp_path / "restic", notes)))

        await desk.backup(ready, tree, concurrency=3, cores=1)

        (note,) = notes.iterdir()
        assert b"'GOMAXPROCS': '1'" in note.read_bytes()
        assert b"--read-concurrency\x003" in note.read_bytes()

    async def test_they_show_in_no_text(self, engine: ResticEngine, server: S3Server, tree: Path) -> None:
        wrong = server.location("refused", passphrase=PASSPHRASE)
        wrong = StoreLocation(
            address=wrong.address,
            passphrase=PASSPHRASE,
            credentials={**wrong.credentials, "AWS_SECRET_ACCESS_KEY": "canary-other-key-0123456789"},
            options=wrong.options,
        )
        desk = Desk(engine)

        with pytest.raises(StoreRefused) as refused:
            await desk.backup(wrong, tree)

        assert "canary" not in f"{refused.value}{refused.value.fields}{desk.log}{wrong!r}"


class TestStoresThatDoNotAnswer:
    async def test_wrong_keys_are_told_at_once(self, engine: ResticEngine, server: S3Server) -> None:
        unknown = S3Server(server.port, access_key="AKIANOBODYKNOWSTHIS0")

        with pytest.raises(StoreRefused, match="Access Key Id"):
            await engine.initialize(unknown.location("x", passphrase=PASSPHRASE))

    async def test_nobody_listening_is_told_soon(self, engine: ResticEngine) -> None:
        with pytest.raises(StoreUnreachable, match="connection refused"):
            await engine.initialize(S3Server(free_port()).location("x", passphrase=PASSPHRASE))

    async def test_tls_where_there_is_none_is_told(self, engine: ResticEngine, server: S3Server) -> None:
        secure = S3Server(server.port, scheme="https")

        with pytest.raises(TlsMisconfigured, match="plain HTTP, not HTTPS"):
            await engine.find_snapshots(secure.location("x", passphrase=PASSPHRASE))

    async def test_a_missing_bucket_holds_no_repository_and_is_made_with_one(
        self, engine: ResticEngine, server: S3Server
    ) -> None:
        there = server.location("x", passphrase=PASSPHRASE)
        store = StoreLocation(
            address=there.address.replace(BUCKET, "another-bucket"),
            passphrase=PASSPHRASE,
            credentials=there.credentials,
            options=there.options,
        )

        with pytest.raises(StoreNotInitialized):
            await engine.find_snapshots(store)
        assert not (await engine.initialize(store)).adopted

    async def test_a_missing_program_is_told(self, new_engine: NewEngine, ready: StoreLocation) -> None:
        with pytest.raises(EngineFailed, match="No such file"):
            await new_engine(program="/nonexistent/restic").find_snapshots(ready)


class TestInitializationsThatWereCutOff:
    async def test_a_lone_key_makes_way_for_another_initialization(
        self, engine: ResticEngine, ready: StoreLocation, tree: Path
    ) -> None:
        Path(ready.address, "config").unlink()

        made = await engine.initialize(ready)

        assert not made.adopted
        assert len(list(Path(ready.address, "keys").iterdir())) == 1
        assert (await Desk(engine).backup(ready, tree)).problems == ()

    async def test_what_may_be_worth_keeping_is_left_alone(
        self, engine: ResticEngine, ready: StoreLocation, tree: Path
    ) -> None:
        await Desk(engine).backup(ready, tree)
        Path(ready.address, "config").unlink()
        before = content(Path(ready.address))

        with pytest.raises(StoreHalfMade, match="Put the file back"):
            await engine.initialize(ready)

        assert content(Path(ready.address)) == before

    async def test_in_a_bucket_the_error_says_what_to_remove(self, engine: ResticEngine, server: S3Server) -> None:
        store = server.location("cut-off", passphrase=PASSPHRASE)
        await engine.initialize(store)
        server.client().delete_object(Bucket=BUCKET, Key="cut-off/config")

        with pytest.raises(StoreHalfMade, match="remove `keys`"):
            await engine.initialize(store)


class TestWhatResticLeavesOutWithoutAWord:
    async def test_sockets_are_named(self, engine: ResticEngine, ready: StoreLocation, tree: Path) -> None:
        names = ("a.sock", " two\nlines ", "back\\slash[1]", os.fsdecode(b"\xfe"))
        for name in names:
            make_socket(tree / "sub", name)
        os.mkfifo(tree / "pipe")
        desk = Desk(engine)

        made = await desk.backup(ready, SourceTree(directory=tree, is_surveyed=True))

        assert {problem.path for problem in made.problems} == {
            *("/sub/a.sock", "/sub/ two\nlines ", "/sub/back\\slash[1]", "/sub/\\xfe")
        }
        assert {problem.reason for problem in made.problems} == {"a socket, which no restore point can hold"}
        assert made.problem_count == len(names)

    async def test_sockets_are_left_out_by_the_patterns_that_leave_out_files(
        self, engine: ResticEngine, ready: StoreLocation, tmp_path: Path, restore: Restore
    ) -> None:
        names = ("a", "ab", "a]", "a-", "b^", "x.sock", "keep.sock", "[z]", "é", "deep/a", "deep/er/x", "deep/er/a/b")
        ignores = ("?]", "[b-c]^", "[^a-z]", "*.sock", "!keep.sock", "\\[z\\]", "/deep/**/b", "/a", "er/x", "é/")
        files, sockets = tmp_path / "files", tmp_path / "sockets"
        for name in names:
            (files / name).parent.mkdir(parents=True, exist_ok=True)
            (files / name).touch() if name != "deep/er/a" else None
            (sockets / name).parent.mkdir(parents=True, exist_ok=True)
            make_socket((sockets / name).parent, (sockets / name).name)
        desk = Desk(engine)

        held = await desk.backup(ready, files, ignores=ignores)
        named = await desk.backup(ready, SourceTree(directory=sockets, is_surveyed=True), ignores=ignores)
        restore(ready, held.snapshot_id, tmp_path / "restored")

        expected = {f"/{path}" for path, data in content(tmp_path / "restored").items() if data is not None}
        assert {problem.path for problem in named.problems} == expected
        assert 0 < len(expected) < len(names)

    async def test_an_incomplete_backup_without_a_name_is_incomplete(
        self, new_engine: NewEngine, restic: Path, ready: StoreLocation, tree: Path, tmp_path: Path
    ) -> None:
        desk = Desk(new_engine(program=ending(restic, tmp_path / "restic", exit_code=3)))

        made = await desk.backup(ready, tree)

        assert [problem.path for problem in made.problems] == ["/"]

    async def test_what_is_guarded_is_left_out_under_whatever_name_it_is_met(
        self, engine: ResticEngine, ready: StoreLocation, tree: Path, tmp_path: Path, restore: Restore
    ) -> None:
        facts = (tree / "sub").stat()
        guarded = frozenset({(facts.st_dev, facts.st_ino)})
        desk = Desk(engine)

        made = await desk.backup(ready, SourceTree(directory=tree, guarded=guarded, is_surveyed=True))
        restore(ready, made.snapshot_id, tmp_path / "restored")

        assert set(content(tmp_path / "restored")) == {"other"}
        assert len(await engine.find_snapshots(ready)) == 1
        assert any(text.startswith("/sub is left out on purpose") for _, text in desk.log)


class TestFiles:
    async def test_unreadable_files_and_directories_are_named_and_the_rest_is_kept(
        self, new_engine: NewEngine, restic: Path, ready: StoreLocation, tree: Path, tmp_path: Path, restore: Restore
    ) -> None:
        (tree / "sub" / "secret").write_text("nobody may read this")
        (tree / "sub" / "secret").chmod(0o000)
        (tree / "locked").mkdir(mode=0o000)
        desk = Desk(new_engine(program=str(write_unprivileged(tmp_path / "restic", restic))))

        made = await desk.backup(ready, tree)
        restore(ready, made.snapshot_id, tmp_path / "restored")

        assert set(made.problems) == {
            UnreadablePath("/sub/secret", "permission denied"),
            UnreadablePath("/locked", "permission denied"),
        }
        assert made.problem_count == 2
        assert ("error", "/sub/secret: permission denied") in desk.log
        assert (tmp_path / "restored" / "sub" / "file").read_text() == "content"

    async def test_names_that_are_no_text_are_told_by_their_bytes(
        self, new_engine: NewEngine, restic: Path, ready: StoreLocation, tree: Path, tmp_path: Path
    ) -> None:
        folder = tree / os.fsdecode(b"d\xff")
        folder.mkdir()
        (folder / os.fsdecode(b"s\xc3\xa9\xe2\x82cret")).touch(mode=0o000)
        desk = Desk(new_engine(program=str(write_unprivileged(tmp_path / "restic", restic))))

        made = await desk.backup(ready, tree)

        assert made.problems == (UnreadablePath("/d\\xff/sé\\xe2\\x82cret", "permission denied"),)

    async def test_trees_deeper_than_a_path_may_be_long_are_told(
        self, engine: ResticEngine, ready: StoreLocation, tree: Path
    ) -> None:
        here = os.open(tree, os.O_RDONLY)
        for _ in range(22):
            os.mkdir("d" * 200, dir_fd=here)
            here = os.open("d" * 200, os.O_RDONLY, dir_fd=here)

        made = await Desk(engine).backup(ready, SourceTree(directory=tree, is_surveyed=True))

        assert made.problem_count == 1
        assert made.problems[0].reason == "file name too long"

    async def test_a_source_of_which_nothing_can_be_read_is_told(
        self, new_engine: NewEngine, restic: Path, ready: StoreLocation, tmp_path: Path
    ) -> None:
        (tmp_path / "tree").mkdir()
        (tmp_path / "tree" / "secret").touch(mode=0o000)
        desk = Desk(new_engine(program=str(write_unprivileged(tmp_path / "restic", restic))))

        with pytest.raises(SourceUnreadable, match=r"could be read: /secret \(permission denied\)"):
            await desk.backup(ready, tmp_path / "tree")

    async def test_names_that_are_no_text_survive(
        self, engine: ResticEngine, ready: StoreLocation, tmp_path: Path, restore: Restore
    ) -> None:
        name = os.fsdecode(b"\xff\xfe not utf-8 \x01")
        (tmp_path / "tree").mkdir()
        (tmp_path / "tree" / name).write_bytes(b"odd")
        (tmp_path / "tree" / "link").symlink_to("/etc/passwd")
        desk = Desk(engine)

        made = await desk.backup(ready, tmp_path / "tree")
        restore(ready, made.snapshot_id, tmp_path / "restored")

        assert (tmp_path / "restored" / name).read_bytes() == b"odd"
        assert (tmp_path / "restored" / "link").readlink() == Path("/etc/passwd")

    async def test_the_next_backup_reads_only_what_changed(
        self, engine: ResticEngine, ready: StoreLocation, tree: Path
    ) -> None:
        desk = Desk(engine)
        await desk.backup(ready, tree, tags=("first",))
        (tree / "other").write_text("something else")

        made = await desk.backup(ready, tree, tags=("second",))
        moved = await desk.backup(ready, SourceTree(directory=tree, stable_inodes=False), tags=("third",))

        assert (made.summary.files_unmodified, made.summary.files_changed) == (1, 1)
        assert moved.summary.files_unmodified == 2

    async def test_a_malformed_pattern_is_named(self, engine: ResticEngine, ready: StoreLocation, tree: Path) -> None:
        with pytest.raises(PatternInvalid, match=r"\[broken"):
            await Desk(engine).backup(ready, tree, ignores=("[broken",))

    async def test_patterns_are_taken_as_they_are(
        self, engine: ResticEngine, ready: StoreLocation, tmp_path: Path, restore: Restore
    ) -> None:
        names = {"$HOME", "#remark", " space ", "kept"}
        (tmp_path / "tree").mkdir()
        for name in names:
            (tmp_path / "tree" / name).touch()
        desk = Desk(engine)

        made = await desk.backup(ready, tmp_path / "tree", ignores=("$HOME", "#remark", " space "))
        restore(ready, made.snapshot_id, tmp_path / "restored")

        assert set(content(tmp_path / "restored")) == {"kept"}

    async def test_damage_is_found(self, engine: ResticEngine, ready: StoreLocation, big_tree: Path) -> None:
        desk = Desk(engine)
        await desk.backup(ready, big_tree)
        pack = max(Path(ready.address, "data").glob("*/*"), key=lambda path: path.stat().st_size)
        pack.chmod(0o600)
        pack.write_bytes(pack.read_bytes()[:-1])

        checked = await engine.check(ready, on_progress=lambda _: None, on_log=lambda *_: None, cancel=desk.cancel)

        assert any(pack.name[:8] in finding for finding in checked.findings)

    @pytest.mark.parametrize("kind", ["index", "snapshots"])
    async def test_what_restic_advises_is_no_finding(
        self, engine: ResticEngine, ready: StoreLocation, tree: Path, kind: str
    ) -> None:
        desk = Desk(engine)
        await desk.backup(ready, tree)
        [file] = Path(ready.address, kind).iterdir()
        file.chmod(0o600)
        file.write_bytes(file.read_bytes()[:-1])

        checked = await engine.check(ready, on_progress=lambda _: None, on_log=lambda *_: None, cancel=desk.cancel)

        [finding] = checked.findings
        assert file.name[:8] in finding


class TestChecksOfStoresThatFalter:
    """Checks of a store behind a proxy, which makes restic repeat what it asks for."""

    async def test_an_answer_that_broke_off_is_no_finding(
        self, engine: ResticEngine, server: S3Server, tree: Path
    ) -> None:
        with await behind_proxy(engine, server, "recovers", tree) as (proxy, store):
            proxy.cuts.add(request_of("recovers", "index/"))
            log: list[str] = []

            checked = await check(engine, store, log)

        assert not proxy.cuts
        assert any("returned error, retrying after" in line for line in log)
        assert (checked.findings, checked.finding_count) == ((), 0)

    async def test_damage_stays_damage_where_an_answer_broke_off_too(
        self, engine: ResticEngine, server: S3Server, tree: Path
    ) -> None:
        with await behind_proxy(engine, server, "damaged", tree) as (proxy, store):
            assert server.directory is not None
            [snapshot] = (server.directory / BUCKET / "damaged" / "snapshots").iterdir()
            snapshot.write_bytes(snapshot.read_bytes()[:-1] + b"?")
            proxy.cuts.add(request_of("damaged", "index/"))

            checked = await check(engine, store)

        assert not proxy.cuts
        [finding] = checked.findings
        assert (snapshot.name[:8] in finding, checked.finding_count) == (True, 1)

    @pytest.mark.parametrize("kind", ["config", "data/"])
    async def test_a_store_that_went_away_for_good_is_unreachable_and_not_damaged(
        self, new_engine: NewEngine, server: S3Server, tree: Path, kind: str
    ) -> None:
        engine, prefix = new_engine(open_patience_seconds=0, away_patience_seconds=0), f"away-{kind.strip('/')}"
        with await behind_proxy(engine, server, prefix, tree) as (proxy, store):
            proxy.closes_at = request_of(prefix, kind)

            with pytest.raises(StoreUnreachable, match="connection refused"):
                await check(engine, store)


@contextmanager
def behind(server: S3Server, prefix: str) -> Iterator[tuple[Proxy, StoreLocation]]:
    with open_proxy(server.port) as proxy:
        yield proxy, replace(server, port=proxy.port).location(prefix, passphrase=PASSPHRASE)


async def behind_proxy(
    engine: ResticEngine, server: S3Server, prefix: str, tree: Path
) -> AbstractContextManager[tuple[Proxy, StoreLocation]]:
    """A store with a backup, as it is found behind a proxy."""
    store = server.location(prefix, passphrase=PASSPHRASE)
    await engine.initialize(store)
    await Desk(engine).backup(store, tree)
    return behind(server, prefix)


def request_of(prefix: str, path: str) -> bytes:
    return f"GET /{BUCKET}/{prefix}/{path}".encode()


async def check(engine: ResticEngine, store: StoreLocation, log: list[str] | None = None) -> CheckOutcome:
    return await engine.check(
        store,
        read_percent=100,
        on_progress=lambda _: None,
        on_log=lambda _, text: None if log is None else log.append(text),
        cancel=asyncio.Event(),
    )


class TestDying:
    async def test_an_engine_that_is_killed_is_told_apart(
        self, new_engine: NewEngine, ready: StoreLocation, tree: Path, tmp_path: Path
    ) -> None:
        desk = Desk(new_engine(program=dying(tmp_path / "restic")))

        with pytest.raises(EngineKilled, match="killed by signal 9"):
            await desk.backup(ready, tree)


class TestStopping:
    async def test_a_backup_stopped_midway_leaves_no_lock_and_no_restore_point(
        self, new_engine: NewEngine, restic: Path, ready: StoreLocation, big_tree: Path, tmp_path: Path
    ) -> None:
        desk = Desk(new_engine(program=slow(restic, tmp_path / "restic", kib_per_second=1000)))
        backup = asyncio.create_task(desk.backup(ready, big_tree))
        await eventually_async(lambda: locks(ready) and desk.progress, 30)

        desk.cancel.set()

        with pytest.raises(Cancelled):
            await backup
        assert not locks(ready)
        assert await Desk(new_engine()).engine.find_snapshots(ready) == []

    async def test_progress_tells_what_restic_uses(
        self, new_engine: NewEngine, restic: Path, ready: StoreLocation, big_tree: Path, tmp_path: Path
    ) -> None:
        desk = Desk(new_engine(program=slow(restic, tmp_path / "restic", kib_per_second=1000)))
        backup = asyncio.create_task(desk.backup(ready, big_tree))

        await eventually_async(
            lambda: any(p.memory_bytes and p.bytes_done and p.files_total for p in desk.progress), 30
        )

        desk.cancel.set()
        with pytest.raises(Cancelled):
            await backup
        assert all(0 <= progress.fraction <= 1 for progress in desk.progress)
        assert all(path.startswith("/") for progress in desk.progress for path in progress.current)

    async def test_restic_dies_with_its_worker_and_its_lock_is_stale(
        self, engine: ResticEngine, restic: Path, ready: StoreLocation, big_tree: Path, tmp_path: Path
    ) -> None:
        program = slow(restic, tmp_path / "restic", kib_per_second=1000)
        worker = subprocess.Popen(
            [sys.executable, "-c", _BACK_UP, program, str(tmp_path / "cache"), ready.address, str(big_tree)],
            env={**os.environ, "PASSPHRASE": PASSPHRASE},
        )
        await eventually_async(lambda: locks(ready), 30)
        children = running(ready.address)

        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()

        assert children
        eventually(lambda: not any(Path(f"/proc/{child}").exists() for child in children))
        assert locks(ready)
        await engine.unlock_stale(ready)
        assert not locks(ready)
        assert (await Desk(engine).backup(ready, big_tree)).problems == ()


_BACK_UP = """
import asyncio, os, sys
from pathlib import Path
from integrations.sdk.locations import SourceTree, StoreLocation
from connector.engine.port import BackupOptions
from connector.engine.restic import ResticEngine, ResticSettings

program, cache, store, source = sys.argv[1:]
engine = ResticEngine(ResticSettings(program=program, cache_dir=Path(cache)))
asyncio.run(
    engine.backup(
        StoreLocation(address=store, passphrase=os.environ["PASSPHRASE"]),
        SourceTree(directory=Path(source)),
        options=BackupOptions(host="killed"),
        on_progress=lambda _: None,
        on_log=lambda *_: None,
        cancel=asyncio.Event(),
    )
)
"""


def locks(store: StoreLocation) -> list[Path]:
    """Locks that are written whole."""
    return [path for path in Path(store.address, "locks").iterdir() if len(path.name) == 64]


def running(address: str) -> list[int]:
    """Processes of restic that work on a repository."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = process.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"backup" in arguments and os.fsencode(address) in arguments:
            found.append(int(process.parent.name))
    return found
