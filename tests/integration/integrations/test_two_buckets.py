"""Copies from one bucket to another, on two servers that each know keys of their own alone."""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from connector.engine.errors import CopyFailed, StoreRefused, StoreUnreachable
from connector.engine.port import CopyOutcome
from connector.engine.restic import ResticEngine, ResticSettings
from integrations.s3.integration import S3Integration
from integrations.sdk.environment import WorkerEnvironment
from integrations.sdk.errors import Cancelled
from integrations.sdk.locations import SourceTree, StoreLocation

from tests.contracts.engine_suite import Desk
from tests.integration.engine.programs import slow, telling
from tests.integration.integrations.conftest import Configure
from tests.support.s3 import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server, free_port, moto_s3, rclone_s3
from tests.support.waiting import eventually_async


@pytest.fixture(scope="module")
def servers(rclone: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[S3Server, S3Server]]:
    with rclone_s3(rclone, tmp_path_factory.mktemp("s3")) as one, moto_s3(strict=True) as other:
        assert one.access_key != other.access_key
        yield one, other


class Buckets:
    """Stores in buckets, and an engine whose command lines and variables are noted."""

    def __init__(self, environment: WorkerEnvironment, configure: Configure, restic: Path, folder: Path) -> None:
        self._s3, self._configure = S3Integration(environment), configure
        self.notes = folder / "notes"
        program = telling(restic, folder / "restic", self.notes)
        self.desk = Desk(
            ResticEngine(ResticSettings(program=program, cache_dir=folder / "cache", open_patience_seconds=2))
        )

    def store(self, server: S3Server, prefix: str, passphrase: str, **fields: str) -> StoreLocation:
        settings = server.fields(f"{BUCKET}/{prefix}", passphrase=passphrase, **fields)
        return self._s3.store_location(self._configure("store", "s3", endpoint=server.endpoint, **settings))

    async def copy(self, origin: StoreLocation, target: StoreLocation, snapshot_id: str) -> CopyOutcome:
        return await self.desk.copy(origin, target, snapshot_id)


@pytest.fixture
def buckets(environment: WorkerEnvironment, configure: Configure, restic: Path, tmp_path: Path) -> Buckets:
    return Buckets(environment, configure, restic, tmp_path)


async def test_keys_of_both_work_at_once_and_show_in_no_argument(
    buckets: Buckets, servers: tuple[S3Server, S3Server], tmp_path: Path
) -> None:
    one, other = servers
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "file").write_bytes(b"content" * 1000)
    origin, target = buckets.store(one, "with space", "canary one"), buckets.store(other, "copies", "canary two")
    await asyncio.gather(buckets.desk.engine.initialize(origin), buckets.desk.engine.initialize(target))
    made = await buckets.desk.backup(origin, SourceTree(directory=tmp_path / "tree"))

    await buckets.copy(origin, target, made.snapshot_id)

    (copy,) = await buckets.desk.engine.find_snapshots(target)
    assert copy.original == made.snapshot_id
    assert (await buckets.desk.check(target, read_percent=100)).findings == ()
    secrets = [each.encode() for each in (ACCESS_KEY, SECRET_KEY, other.access_key, other.secret_key, "canary")]
    for note in buckets.notes.iterdir():
        arguments = note.read_bytes().partition(b"\n")[0]
        assert not [each for each in secrets if each in arguments]


async def test_a_bucket_that_is_away_or_refuses_is_named(buckets: Buckets, servers: tuple[S3Server, S3Server]) -> None:
    one, other = servers
    away, refusing = S3Server(free_port()), replace(other, secret_key="canary: not this one")
    here = buckets.store(one, "here", "canary one")
    await buckets.desk.engine.initialize(here)

    with pytest.raises(CopyFailed) as no_origin:
        await buckets.copy(buckets.store(away, "gone", "canary"), here, "f" * 64)
    with pytest.raises(CopyFailed) as no_target:
        await buckets.copy(here, buckets.store(refusing, "x", "canary"), "f" * 64)

    assert (no_origin.value.side, type(no_origin.value.error)) == ("origin", StoreUnreachable)
    assert (no_target.value.side, type(no_target.value.error)) == ("target", StoreRefused)
    assert "canary" not in f"{no_origin.value}{no_target.value}{buckets.desk.log}"


async def test_a_canceled_copy_leaves_no_lock_in_either(
    buckets: Buckets, servers: tuple[S3Server, S3Server], restic: Path, tmp_path: Path
) -> None:
    one, other = servers
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "file").write_bytes(os.urandom(2 << 20))
    origin, target = buckets.store(one, "stopped", "canary one"), buckets.store(other, "stopped", "canary two")
    await asyncio.gather(buckets.desk.engine.initialize(origin), buckets.desk.engine.initialize(target))
    made = await buckets.desk.backup(origin, SourceTree(directory=tmp_path / "tree"))
    program = slow(restic, tmp_path / "slow", kib_per_second=256)
    desk = Desk(ResticEngine(ResticSettings(program=program, cache_dir=tmp_path / "cache")))

    copying = asyncio.create_task(desk.copy(origin, target, made.snapshot_id))
    await eventually_async(lambda: any(each.bytes_total for each in desk.progress), 60)
    desk.cancel.set()
    with pytest.raises(Cancelled):
        await copying

    for server in servers:
        assert not server.client().list_objects_v2(Bucket=BUCKET, Prefix="stopped/locks/").get("Contents")
    assert await buckets.desk.engine.find_snapshots(target) == []
