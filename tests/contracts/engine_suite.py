"""What every engine must do. A subclass provides the fixtures `engine`, `store` and `restore`."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from connector.engine.errors import CopyFailed, SourceEmpty, SourceIgnored, SourceInsideStore, StoreNotInitialized
from connector.engine.memory import MemoryEngine
from connector.engine.port import (
    BackupOptions,
    BackupOutcome,
    CheckOutcome,
    CleanUpOutcome,
    CopyOutcome,
    Engine,
    ForgetOutcome,
    Progress,
)
from integrations.sdk.errors import Cancelled, PassphraseMissing, PassphraseWrong, SourceMissing
from integrations.sdk.job_log import Level
from integrations.sdk.locations import SourceTree, StoreLocation, UnreadablePath

HOST = "source-1"
ODD_NAMES = ("with space", "new\nline", "quote'\"", "$HOME", "#hash", "-dash", "ümläut", "x" * 255, "a,b", "..dots")
Restore = Callable[[StoreLocation, str, Path], None]
"""Writes what a restore point in a store holds below a directory, without the engine under test."""


class Desk:
    """Calls an engine the way a worker does, and keeps what it says."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.cancel = asyncio.Event()
        self.progress: list[Progress] = []
        self.log: list[tuple[Level, str]] = []

    async def backup(self, store: StoreLocation, source: Path | SourceTree, **options: object) -> BackupOutcome:
        tree = source if isinstance(source, SourceTree) else SourceTree(directory=source)
        chosen = BackupOptions(**{"host": HOST, **options})  # type: ignore[arg-type]
        return await self.engine.backup(
            store,
            tree,
            options=chosen,
            on_progress=self.progress.append,
            on_log=lambda level, text: self.log.append((level, text)),
            cancel=self.cancel,
        )

    async def check(self, store: StoreLocation, *, read_percent: float = 0) -> CheckOutcome:
        return await self.engine.check(
            store,
            read_percent=read_percent,
            on_progress=self.progress.append,
            on_log=lambda level, text: self.log.append((level, text)),
            cancel=self.cancel,
        )

    async def copy(self, origin: StoreLocation, target: StoreLocation, *snapshot_ids: str) -> CopyOutcome:
        return await self.engine.copy(
            origin,
            target,
            snapshot_ids,
            on_progress=self.progress.append,
            on_log=lambda level, text: self.log.append((level, text)),
            cancel=self.cancel,
        )

    async def forget(self, store: StoreLocation, *snapshot_ids: str) -> ForgetOutcome:
        return await self.engine.forget(store, snapshot_ids, on_log=lambda *_: None, cancel=self.cancel)

    async def free_unused(self, store: StoreLocation, *, repack: bool = True) -> CleanUpOutcome:
        return await self.engine.free_unused(
            store,
            repack=repack,
            on_progress=self.progress.append,
            on_log=lambda level, text: self.log.append((level, text)),
            cancel=self.cancel,
        )

    async def repair_index(self, store: StoreLocation) -> CleanUpOutcome:
        return await self.engine.repair_index(
            store, on_progress=self.progress.append, on_log=lambda *_: None, cancel=self.cancel
        )


def content(root: Path) -> dict[str, bytes | None]:
    """Every path below a directory; None for directories."""
    return {str(p.relative_to(root)): None if p.is_dir() else p.read_bytes() for p in root.rglob("*")}


def with_passphrase(store: StoreLocation, passphrase: str) -> StoreLocation:
    return StoreLocation(
        address=store.address,
        passphrase=passphrase,
        credentials=store.credentials,
        options=store.options,
        local_path=store.local_path,
    )


def beside(store: StoreLocation, passphrase: str = "another passphrase") -> StoreLocation:
    """A store next to another one, that another passphrase opens."""
    place = store.local_path and store.local_path.with_name(f"{store.local_path.name}-copies")
    return replace(store, address=f"{store.address}-copies", passphrase=passphrase, local_path=place)


class StoreSuite:
    """The promises of `connector.engine.port.Engine` about a store, wherever it is."""

    @pytest.fixture
    def desk(self, engine: Engine) -> Desk:
        return Desk(engine)

    @pytest.fixture
    async def ready(self, engine: Engine, store: StoreLocation) -> StoreLocation:
        """A store with a repository."""
        await engine.initialize(store)
        return store

    @pytest.fixture
    def tree(self, tmp_path: Path) -> Path:
        root = tmp_path / "tree"
        (root / "deep" / "er").mkdir(parents=True)
        (root / "deep" / "er" / "file").write_bytes(b"down here")
        (root / "empty").mkdir()
        (root / "nothing").write_bytes(b"")
        (root / "bytes").write_bytes(bytes(range(256)) * 20)
        return root

    async def test_initializing_twice_adopts_what_is_there(self, engine: Engine, store: StoreLocation) -> None:
        first = await engine.initialize(store)
        second = await engine.initialize(store)

        assert not first.adopted
        assert second.adopted
        assert first.repository_id == second.repository_id != ""

    async def test_wrong_passphrase_is_told_apart(self, engine: Engine, ready: StoreLocation) -> None:
        wrong = with_passphrase(ready, "not this one")

        with pytest.raises(PassphraseWrong):
            await engine.initialize(wrong)
        with pytest.raises(PassphraseWrong):
            await engine.find_snapshots(wrong)

    async def test_a_store_must_be_initialized_first(self, desk: Desk, store: StoreLocation, tree: Path) -> None:
        with pytest.raises(StoreNotInitialized):
            await desk.backup(store, tree)
        with pytest.raises(StoreNotInitialized):
            await desk.engine.find_snapshots(store)

    async def test_what_was_backed_up_can_be_restored(
        self, desk: Desk, ready: StoreLocation, tree: Path, tmp_path: Path, restore: Restore
    ) -> None:
        made = await desk.backup(ready, tree)
        restore(ready, made.snapshot_id, tmp_path / "restored")

        assert content(tmp_path / "restored") == content(tree)
        assert made.problems == ()
        assert made.summary.snapshot_id == made.snapshot_id
        assert made.summary.files_processed == 3
        assert made.summary.bytes_processed == sum(len(data or b"") for data in content(tree).values())

    async def test_restore_points_are_found_by_all_their_tags(
        self, desk: Desk, ready: StoreLocation, tree: Path
    ) -> None:
        first = await desk.backup(ready, tree, tags=("nightly", "cairn:job=1"))
        second = await desk.backup(ready, tree, tags=("nightly", "cairn:job=2"))

        by_job = await desk.engine.find_snapshots(ready, tags=("nightly", "cairn:job=2"))
        by_label = await desk.engine.find_snapshots(ready, tags=("nightly",))

        assert [found.snapshot_id for found in by_job] == [second.snapshot_id]
        assert [found.snapshot_id for found in by_label] == [first.snapshot_id, second.snapshot_id]
        assert await desk.engine.find_snapshots(ready, tags=("weekly",)) == []

    async def test_forgotten_restore_points_are_gone(self, desk: Desk, ready: StoreLocation, tree: Path) -> None:
        first, second = await desk.backup(ready, tree), await desk.backup(ready, tree)

        done = await desk.forget(ready, first.snapshot_id, "f" * 64, "latest")

        assert done == ForgetOutcome()
        assert [found.snapshot_id for found in await desk.engine.find_snapshots(ready)] == [second.snapshot_id]

    async def test_what_was_copied_can_be_restored_and_names_its_original(
        self, desk: Desk, ready: StoreLocation, tree: Path, tmp_path: Path, restore: Restore
    ) -> None:
        first = await desk.backup(ready, tree, tags=("nightly", "two words"))
        second = await desk.backup(ready, tree)
        target = beside(ready)
        await desk.engine.initialize(target, chunker_of=ready)

        copied = await desk.copy(ready, target, first.snapshot_id, "f" * 64, "latest")
        again = await desk.copy(ready, target, first.snapshot_id, second.snapshot_id)
        await desk.copy(target, ready, *[each.snapshot_id for each in await desk.engine.find_snapshots(target)])
        restore(target, (await desk.engine.find_snapshots(target))[0].snapshot_id, tmp_path / "restored")

        originals = await desk.engine.find_snapshots(ready)  # None came back from the copies.
        copies = await desk.engine.find_snapshots(target)
        assert [each.original for each in copies] == [first.snapshot_id, second.snapshot_id]
        assert [replace(each, original="", snapshot_id="") for each in copies] == [
            replace(each, snapshot_id="") for each in originals
        ]
        assert content(tmp_path / "restored") == content(tree)
        assert copied.bytes_copied > again.bytes_copied or isinstance(desk.engine, MemoryEngine)
        assert desk.progress[-1].fraction == 1
        assert (await desk.check(target, read_percent=100)).findings == ()

    async def test_a_sound_store_has_no_findings(self, desk: Desk, ready: StoreLocation, tree: Path) -> None:
        await desk.backup(ready, tree)

        checked = await desk.check(ready, read_percent=100)
        structure = await desk.check(ready)

        assert checked.findings == structure.findings == ()

    async def test_data_that_is_used_no_more_is_freed_and_the_rest_can_be_restored(
        self, desk: Desk, ready: StoreLocation, tree: Path, tmp_path: Path, restore: Restore
    ) -> None:
        (tree / "large").write_bytes(os.urandom(1 << 20))
        first = await desk.backup(ready, tree)
        (tree / "large").unlink()
        second = await desk.backup(ready, tree)
        await desk.forget(ready, first.snapshot_id)

        freed, again = await desk.free_unused(ready), await desk.free_unused(ready, repack=False)
        restore(ready, second.snapshot_id, tmp_path / "restored")

        assert freed.unused_bytes == pytest.approx(1 << 20, rel=0.01)
        assert (freed.kept_files, freed.why) == (0, "")
        assert (again.unused_bytes, again.remaining_bytes) == (0, freed.remaining_bytes)
        assert content(tmp_path / "restored") == content(tree)
        assert desk.progress[-1].fraction > 0.3
        assert desk.log

    async def test_a_clean_up_that_is_cancelled_changes_nothing(
        self, desk: Desk, ready: StoreLocation, tree: Path
    ) -> None:
        made = await desk.backup(ready, tree)
        desk.cancel.set()

        for call in (desk.forget(ready, made.snapshot_id), desk.free_unused(ready), desk.repair_index(ready)):
            with pytest.raises(Cancelled):
                await call

        assert [found.snapshot_id for found in await desk.engine.find_snapshots(ready)] == [made.snapshot_id]

    async def test_an_index_that_is_whole_is_repaired_without_harm(
        self, desk: Desk, ready: StoreLocation, tree: Path
    ) -> None:
        await desk.backup(ready, tree)

        repaired, undeletable = await desk.repair_index(ready), await desk.engine.undeletable(ready)

        assert (repaired.kept_files, undeletable) == (0, "")
        assert (await desk.check(ready, read_percent=100)).findings == ()


class EngineSuite(StoreSuite):
    """Beside that: what does not depend on where a store is."""

    async def test_wrong_passphrase_stops_a_backup(self, desk: Desk, ready: StoreLocation, tree: Path) -> None:
        with pytest.raises(PassphraseWrong):
            await desk.backup(with_passphrase(ready, "not this one"), tree)

    async def test_no_passphrase_is_refused(self, engine: Engine, store: StoreLocation) -> None:
        with pytest.raises(PassphraseMissing):
            await engine.initialize(with_passphrase(store, ""))

    async def test_odd_names_survive(self, desk: Desk, ready: StoreLocation, tmp_path: Path, restore: Restore) -> None:
        (tmp_path / "odd").mkdir()
        for name in ODD_NAMES:
            (tmp_path / "odd" / name).write_text(name)

        made = await desk.backup(ready, tmp_path / "odd")
        restore(ready, made.snapshot_id, tmp_path / "restored")

        assert content(tmp_path / "restored") == {name: name.encode() for name in ODD_NAMES}

    async def test_an_empty_source_is_told(self, desk: Desk, ready: StoreLocation, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()

        with pytest.raises(SourceEmpty, match="nothing to back up"):
            await desk.backup(ready, tmp_path / "empty")

    async def test_a_source_of_which_everything_is_ignored_is_told_apart(
        self, desk: Desk, ready: StoreLocation, tree: Path
    ) -> None:
        with pytest.raises(SourceIgnored, match="leave out everything"):
            await desk.backup(ready, tree, ignores=("*",))

    @pytest.mark.parametrize("ignores", [(), ("*",)], ids=["nothing is there", "all is ignored"])
    async def test_an_empty_restore_point_is_made_where_it_may_be(
        self, desk: Desk, ready: StoreLocation, tree: Path, tmp_path: Path, ignores: tuple[str, ...], restore: Restore
    ) -> None:
        source = tree if ignores else tmp_path / "hollow"
        source.mkdir(exist_ok=True)

        made = await desk.backup(ready, source, ignores=ignores, allow_empty=True, tags=("one", "cairn:job=1"))
        restore(ready, made.snapshot_id, tmp_path / "restored")

        (found,) = await desk.engine.find_snapshots(ready)
        assert (found.snapshot_id, found.host, found.paths) == (made.snapshot_id, HOST, (str(source),))
        assert found.tags == ("one", "cairn:job=1")
        assert made.summary.files_processed == 0
        assert not content(tmp_path / "restored")

    async def test_a_source_that_may_be_empty_and_is_not_is_kept_as_ever(
        self, desk: Desk, ready: StoreLocation, tree: Path
    ) -> None:
        made = await desk.backup(ready, tree, allow_empty=True)

        assert made.summary.files_processed == 3

    async def test_a_hollow_directory_is_kept_without_what_is_in_it(
        self, desk: Desk, ready: StoreLocation, tree: Path, tmp_path: Path, restore: Restore
    ) -> None:
        made = await desk.backup(ready, SourceTree(directory=tree, hollow=(tree / "deep",)))
        restore(ready, made.snapshot_id, tmp_path / "restored")

        assert set(content(tmp_path / "restored")) == {"deep", "empty", "nothing", "bytes"}

    async def test_a_restore_point_tells_where_it_is_from(self, desk: Desk, ready: StoreLocation, tree: Path) -> None:
        await desk.backup(ready, tree, tags=("one", "two words"))

        found = (await desk.engine.find_snapshots(ready))[0]

        assert (found.host, found.paths, found.tags) == (HOST, (str(tree),), ("one", "two words"))
        assert len(found.tree_id) == 64

    @pytest.mark.parametrize(
        ("ignores", "left"),
        [
            (["*.log"], {"a", "a/keep", "keep"}),
            (["/a"], {"keep", "x.log"}),
            (["a/"], {"keep", "x.log"}),
            (["/keep"], {"a", "a/keep", "a/y.log", "x.log"}),
            (["keep", ""], {"a", "a/y.log", "x.log"}),
        ],
    )
    async def test_ignored_files_are_left_out(
        self, desk: Desk, ready: StoreLocation, tmp_path: Path, ignores: list[str], left: set[str], restore: Restore
    ) -> None:
        for name in ("a/keep", "a/y.log", "keep", "x.log"):
            (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "tree" / name).write_text(name)

        made = await desk.backup(ready, tmp_path / "tree", ignores=tuple(ignores))
        restore(ready, made.snapshot_id, tmp_path / "restored")

        assert set(content(tmp_path / "restored")) == left

    async def test_excluded_paths_stay_out(
        self, desk: Desk, ready: StoreLocation, tree: Path, tmp_path: Path, restore: Restore
    ) -> None:
        made = await desk.backup(ready, SourceTree(directory=tree, excludes=(tree / "deep",)))
        restore(ready, made.snapshot_id, tmp_path / "restored")

        assert set(content(tmp_path / "restored")) == {"empty", "nothing", "bytes"}

    async def test_a_source_that_is_gone_is_named(self, desk: Desk, ready: StoreLocation, tmp_path: Path) -> None:
        with pytest.raises(SourceMissing, match="/srv/gone"):
            await desk.backup(ready, SourceTree(directory=tmp_path / "gone", origin="/srv/gone"))

    async def test_problems_of_the_source_are_told_with_the_result(
        self, desk: Desk, ready: StoreLocation, tree: Path
    ) -> None:
        problem = UnreadablePath("/elsewhere/file", "not there any more")

        made = await desk.backup(ready, SourceTree(directory=tree, problems=(problem,)))

        assert made.problems == (problem,)
        assert made.problem_count == 1
        assert ("error", "/elsewhere/file: not there any more") in desk.log

    async def test_a_cancelled_backup_leaves_no_restore_point(
        self, desk: Desk, ready: StoreLocation, tree: Path
    ) -> None:
        desk.cancel.set()

        with pytest.raises(Cancelled):
            await desk.backup(ready, tree)

        assert await desk.engine.find_snapshots(ready) == []

    async def test_what_is_wrong_with_one_of_two_stores_is_told_of_that_one(
        self, desk: Desk, ready: StoreLocation, tree: Path
    ) -> None:
        made = await desk.backup(ready, tree)
        target = beside(ready)

        with pytest.raises(CopyFailed) as without_repository:
            await desk.copy(ready, target, made.snapshot_id)
        await desk.engine.initialize(target)
        with pytest.raises(CopyFailed) as wrong_target:
            await desk.copy(ready, with_passphrase(target, "not this one"), made.snapshot_id)
        with pytest.raises(CopyFailed) as wrong_origin:
            await desk.copy(with_passphrase(ready, "not this one"), target, made.snapshot_id)
        with pytest.raises(CopyFailed) as chunker:
            await desk.engine.initialize(beside(target), chunker_of=with_passphrase(ready, "not this one"))

        raised = (without_repository.value, wrong_target.value, wrong_origin.value, chunker.value)
        assert [(each.side, type(each.error)) for each in raised] == [
            ("target", StoreNotInitialized),
            ("target", PassphraseWrong),
            ("origin", PassphraseWrong),
            ("origin", PassphraseWrong),
        ]
        assert await desk.engine.find_snapshots(target) == []

    async def test_a_cancelled_copy_copies_nothing(self, desk: Desk, ready: StoreLocation, tree: Path) -> None:
        made = await desk.backup(ready, tree)
        await desk.engine.initialize(beside(ready))
        desk.cancel.set()

        with pytest.raises(Cancelled):
            await desk.copy(ready, beside(ready), made.snapshot_id)

        assert await desk.engine.find_snapshots(beside(ready)) == []

    async def test_stale_locks_of_an_unlocked_store_are_nothing(self, engine: Engine, ready: StoreLocation) -> None:
        await engine.unlock_stale(ready)

    async def test_backups_run_side_by_side(self, desk: Desk, ready: StoreLocation, tree: Path) -> None:
        made = await asyncio.gather(*(desk.backup(ready, tree, host=f"source-{n}") for n in range(3)))

        assert {found.snapshot_id for found in await desk.engine.find_snapshots(ready)} == {
            each.snapshot_id for each in made
        }


class DiskEngineSuite(EngineSuite):
    """Beside that: stores that are directories of this machine."""

    async def test_a_store_inside_the_source_is_left_out(
        self, desk: Desk, ready: StoreLocation, tmp_path: Path, restore: Restore
    ) -> None:
        assert ready.local_path is not None
        around = ready.local_path.parent
        (around / "beside").write_text("taken")

        made = await desk.backup(ready, around)
        restore(ready, made.snapshot_id, tmp_path.parent / f"{tmp_path.name}-restored")

        names = set(content(tmp_path.parent / f"{tmp_path.name}-restored"))
        assert "beside" in names
        assert not {name for name in names if name.startswith(ready.local_path.name)}

    async def test_a_source_inside_the_store_is_refused(self, desk: Desk, ready: StoreLocation) -> None:
        assert ready.local_path is not None
        ready.local_path.mkdir(exist_ok=True)

        with pytest.raises(SourceInsideStore):
            await desk.backup(ready, ready.local_path)
