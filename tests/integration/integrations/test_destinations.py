"""What only directories, or only buckets, do as destinations."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from integrations.fs.integration import FsIntegration
from integrations.object_storage.key_paths import path_of
from integrations.s3.integration import S3Integration
from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.conformance import a_file
from integrations.sdk.environment import WorkerEnvironment
from integrations.sdk.errors import (
    DestinationMissing,
    DestinationRefused,
    DestinationUnreachable,
    RootForbidden,
)
from integrations.sdk.ports.destination import (
    ExistingFile,
    GuardedPlace,
    NotWritten,
    OpenDestination,
    RestoredNode,
    RestoreRequest,
)
from msgspec.structs import replace
from restic_reader import Node

from tests.integration.integrations.conftest import Configure, Log
from tests.support.s3 import BUCKET, S3Server, moto_s3

FROM = "it belongs to the store that is restored from"
LINK = RestoredNode(path=b"link", node=Node(quoted_name="link", type="symlink", linktarget="elsewhere"))
EMPTY = RestoredNode(path=b"empty", node=Node(quoted_name="empty", type="dir"), is_empty=True)


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with moto_s3(strict=True) as running:
        yield running


async def test_names_of_files_that_stand_for_keys_become_those_keys(
    environment: WorkerEnvironment, configure: Configure, server: S3Server, log: Log, cancel: asyncio.Event
) -> None:
    keys = ("x//y", "./c", "a/../b", "k" * 400)
    configuration = configure("destination", "s3", endpoint=server.endpoint, **server.fields(f"{BUCKET}/keys"))
    restore = RestoreRequest(job_id="job", names_of="objects")

    def write(destination: OpenDestination) -> None:
        for key in keys:
            destination.write(a_file(path_of(key), b"data"), iter((b"data",)))
        destination.make_directory(EMPTY, keep_attributes=False)
        with pytest.raises(NotWritten, match="a symbolic link cannot be kept as an object"):
            destination.write(LINK, iter(()))

    s3 = S3Integration(environment)
    async with s3.open_destination(configuration, restore, on_log=log.add, cancel=cancel) as destination:
        await asyncio.to_thread(write, destination)

    listed = server.client().list_objects_v2(Bucket=BUCKET, Prefix="keys/")["Contents"]
    assert {each["Key"] for each in listed} == {*(f"keys/{key}" for key in keys), "keys/empty/"}


async def test_a_store_in_the_bucket_that_is_restored_to_is_left_alone(
    environment: WorkerEnvironment, configure: Configure, server: S3Server, log: Log, cancel: asyncio.Event
) -> None:
    def to(root: str) -> AppConfiguration:
        return configure("destination", "s3", endpoint=server.endpoint, **server.fields(f"{BUCKET}{root}"))

    s3 = S3Integration(environment)
    store = s3.store_location(configure("store", "s3", endpoint=server.endpoint, **server.fields(f"{BUCKET}/my store")))
    restore = RestoreRequest(job_id="job", guarded=(GuardedPlace(why=FROM, address=store.address),))
    server.fill({"my store/config": b"sealed"})

    def write(destination: OpenDestination) -> None:
        inside = RestoredNode(path=b"my store", node=EMPTY.node, is_empty=True)
        for refused in (
            lambda: destination.write(a_file("my store/config", b"x"), iter((b"x",))),
            lambda: destination.make_directory(inside, keep_attributes=False),
        ):
            with pytest.raises(NotWritten, match="the store that is restored from"):
                refused()
        destination.write(a_file("my store beside", b"x"), iter((b"x",)))

    async with s3.open_destination(to(""), restore, on_log=log.add, cancel=cancel) as destination:
        await asyncio.to_thread(write, destination)
    for root in ("/my store", "/my store/data"):
        with pytest.raises(RootForbidden, match="the store that is restored from"):
            async with s3.open_destination(to(root), restore, on_log=log.add, cancel=cancel):
                pass
    async with s3.open_destination(to("/my store beside"), restore, on_log=log.add, cancel=cancel):
        pass

    assert server.client().get_object(Bucket=BUCKET, Key="my store/config")["Body"].read() == b"sealed"


async def test_an_object_that_is_kept_keeps_its_content_and_is_known_by_its_time(
    environment: WorkerEnvironment, configure: Configure, server: S3Server, log: Log, cancel: asyncio.Event
) -> None:
    old = replace(a_file("old", b"data").node, mtime="1951-02-03T04:05:06.000000007Z")
    old_file = RestoredNode(path=b"old", node=old)
    server.fill({"kept/empty/": b"not so empty"})
    configuration = configure("destination", "s3", endpoint=server.endpoint, **server.fields(f"{BUCKET}/kept"))

    def write(destination: OpenDestination) -> ExistingFile | None:
        destination.make_directory(EMPTY, keep_attributes=True)
        destination.write(old_file, iter((b"data",)))
        return destination.existing(old_file)

    async with S3Integration(environment).open_destination(
        configuration, RestoreRequest(job_id="job"), on_log=log.add, cancel=cancel
    ) as destination:
        found = await asyncio.to_thread(write, destination)

    assert found == ExistingFile(4, old.mtime_ns)
    assert server.client().get_object(Bucket=BUCKET, Key="kept/empty/")["Body"].read() == b"not so empty"


@pytest.mark.parametrize(
    ("changes", "endpoint", "error"),
    [
        ({"secret_access_key": "another"}, None, DestinationRefused),
        ({"root": "no-such-bucket"}, None, DestinationMissing),
        ({}, "127.0.0.1:1", DestinationUnreachable),
    ],
)
async def test_a_bucket_that_cannot_be_written_is_told_before_anything_is_read(
    environment: WorkerEnvironment,
    configure: Configure,
    server: S3Server,
    log: Log,
    cancel: asyncio.Event,
    changes: dict[str, str],
    endpoint: str | None,
    error: type[Exception],
) -> None:
    configuration = configure(
        "destination", "s3", endpoint=endpoint or server.endpoint, **{**server.fields(BUCKET), **changes}
    )

    with pytest.raises(error):
        async with S3Integration(environment).open_destination(
            configuration, RestoreRequest(job_id="job"), on_log=log.add, cancel=cancel
        ):
            pass


async def test_the_store_and_the_state_of_cairn_are_left_alone_wherever_the_root_is(
    environment: WorkerEnvironment, configure: Configure, tmp_path: Path, log: Log, cancel: asyncio.Event
) -> None:
    (tmp_path / "state" / "key").write_bytes(b"secret")
    (tmp_path / "store").mkdir()
    guarded = (GuardedPlace(why=FROM, path=tmp_path / "store"),)
    fs, restore = FsIntegration(environment), RestoreRequest(job_id="job", guarded=guarded)

    async with fs.open_destination(
        configure("destination", "fs", root=str(tmp_path)), restore, on_log=log.add, cancel=cancel
    ) as destination:
        for path, why in (("state/key", "Cairn's own state"), ("store/config", "restored from"), ("state", "Cairn")):
            with pytest.raises(NotWritten, match=why):
                destination.write(a_file(path, b"x"), iter((b"x",)))
    for root in (tmp_path / "state", tmp_path / "store" / "inside"):
        with pytest.raises(RootForbidden):
            async with fs.open_destination(
                configure("destination", "fs", root=str(root)), restore, on_log=log.add, cancel=cancel
            ):
                pass

    assert (tmp_path / "state" / "key").read_bytes() == b"secret"
    assert not os.listdir(tmp_path / "store")  # noqa: PTH208


async def test_only_the_directory_itself_is_made(
    environment: WorkerEnvironment, configure: Configure, tmp_path: Path, log: Log, cancel: asyncio.Event
) -> None:
    fs, restore = FsIntegration(environment), RestoreRequest(job_id="job")
    with pytest.raises(DestinationMissing):
        async with fs.open_destination(
            configure("destination", "fs", root=str(tmp_path / "no" / "where")), restore, on_log=log.add, cancel=cancel
        ):
            pass
    async with fs.open_destination(
        configure("destination", "fs", root=str(tmp_path / "new")), restore, on_log=log.add, cancel=cancel
    ):
        assert (tmp_path / "new").is_dir()
