"""The conformance suite on restic, over a directory and over an S3 server."""

import os
import shutil
from pathlib import Path

import pytest
from integrations.sdk.locations import StoreLocation

from tests.contracts.engine_suite import Desk, DiskEngineSuite, StoreSuite
from tests.integration.engine.conftest import PASSPHRASE, NewEngine, on_disk
from tests.support.append_only import undeletable_files
from tests.support.s3 import S3Server, check_rights, make_user, moto_s3
from tests.support.unprivileged import write_unprivileged


class TestResticOnDisk(DiskEngineSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> StoreLocation:
        return on_disk(tmp_path / "store")

    @pytest.fixture
    async def ready(self, store: StoreLocation, initialized: Path) -> StoreLocation:
        shutil.copytree(initialized, store.address)
        return store


class TestResticOnS3(StoreSuite):
    @pytest.fixture
    def store(self, server: S3Server, tmp_path: Path) -> StoreLocation:
        return server.location(f"stores/{tmp_path.name}", passphrase=PASSPHRASE)


class TestStoresThatKeepWhatIsDeleted:
    """Append-only storage of two kinds: files that cannot be deleted, and a bucket without the right to do it."""

    @pytest.fixture
    def desk(self, new_engine: NewEngine, restic: Path, tmp_path: Path) -> Desk:
        return Desk(new_engine(program=str(write_unprivileged(tmp_path / "unprivileged", restic))))

    async def test_what_cannot_be_deleted_is_told_and_the_store_stays_usable(
        self, desk: Desk, ready: StoreLocation, tmp_path: Path
    ) -> None:
        source = tmp_path / "source"
        source.mkdir()
        (source / "large").write_bytes(os.urandom(1 << 20))
        made = [(await desk.backup(ready, source)).snapshot_id for _ in range(3)]
        place = Path(ready.address)
        with undeletable_files([place / "snapshots"]):
            done = await desk.forget(ready, *made[:2])
        assert set(done.kept) == set(made[:2])
        assert done.why == "permission denied"

        await desk.forget(ready, *made)
        with undeletable_files([*place.glob("data/*")]):
            freed = await desk.free_unused(ready)
        later = await desk.free_unused(ready)

        assert freed.kept_files > 0
        assert freed.why == "permission denied"
        assert later.unused_bytes == pytest.approx(1 << 20, rel=0.01)
        assert later.kept_files == 0
        assert not list((place / "locks").iterdir())
        assert (await desk.check(ready, read_percent=100)).findings == ()

    async def test_a_snapshot_that_cannot_be_read_is_told_to_be_there(
        self, desk: Desk, ready: StoreLocation, tmp_path: Path
    ) -> None:
        source = tmp_path / "source"
        source.mkdir()
        (source / "file").write_text("content")
        first, second = [(await desk.backup(ready, source)).snapshot_id for _ in range(2)]
        damaged = Path(ready.address) / "snapshots" / first
        damaged.chmod(0o666)
        damaged.write_bytes(b"damage")
        # A sound copy in the cache would do for restic, which could then delete it.
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)

        done = await desk.forget(ready, first, second)

        assert done.kept == (first,)
        assert "cannot be read" in done.why
        assert await desk.engine.snapshot_ids(ready) == {first}

    async def test_a_store_that_does_not_even_delete_locks_is_recognized(self, desk: Desk, tmp_path: Path) -> None:
        with moto_s3() as server:
            adding = make_user(server, "adding", ["s3:ListBucket", "s3:GetObject", "s3:PutObject"])
            owner = make_user(server, "owner", ["s3:*"])
            check_rights(server)
            await desk.engine.initialize(owner.location("store", passphrase=PASSPHRASE))

            assert await desk.engine.undeletable(owner.location("store", passphrase=PASSPHRASE)) == ""
            assert await desk.engine.undeletable(adding.location("store", passphrase=PASSPHRASE)) == "Access Denied"
