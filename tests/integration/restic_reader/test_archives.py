"""Stores whose packs lie in an archive: opened and listed at once, read once their packs are thawed."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from cairn_local.provision.programs import EngineTools
from restic_reader import ObjectFiles, Repository
from restic_reader.errors import ThawRequired
from restic_reader.signed_ranges import SignedRanges

from tests.integration.restic_reader.restic_cli import PASSWORD, Restic
from tests.integration.restic_reader.servers import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server, moto_s3

CONTENT = os.urandom(100_000)


@dataclass
class Bucket:
    """A repository in a bucket, with one file in one snapshot."""

    server: S3Server
    snapshot: str
    prefix: str = "deep/repository"

    @property
    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.server.endpoint,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
        )

    def packs(self) -> list[str]:
        found = self.client.list_objects_v2(Bucket=BUCKET, Prefix=f"{self.prefix}/data/")["Contents"]
        return [each["Key"] for each in found]

    def archive(self, storage_class: str) -> None:
        for key in self.packs():
            itself = {"Bucket": BUCKET, "Key": key}
            self.client.copy_object(**itself, CopySource=itself, StorageClass=storage_class)

    def thaw(self) -> None:
        for key in self.packs():
            self.client.restore_object(Bucket=BUCKET, Key=key, RestoreRequest={"Days": 1})

    def files(self, *, signed: bool = False) -> ObjectFiles:
        addresses = SignedRanges(self.server.store()) if signed else None
        return ObjectFiles(self.server.store(), self.prefix, signed=addresses)


@pytest.fixture(scope="module")
def bucket(engine: EngineTools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    source = tmp_path_factory.mktemp("archived")
    (source / "file").write_bytes(CONTENT)
    with moto_s3() as server:
        restic = Restic(engine.restic, *server.restic(Bucket.prefix))
        restic.init()
        yield Bucket(server, restic.backup(source))


def read(repository: Repository, snapshot: str) -> bytes:
    return b"".join(repository.read(repository.resolve(repository.snapshot(snapshot).tree, b"/file")))


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
@pytest.mark.parametrize("signed", [False, True])
def test_what_is_archived_has_to_be_thawed_and_is_read_then(bucket: Bucket, storage_class: str, signed: bool) -> None:
    bucket.archive(storage_class)

    with Repository.open(bucket.files(signed=signed), PASSWORD) as repository:
        assert [each.id for each in repository.snapshots()] == [bucket.snapshot]
        with pytest.raises(ThawRequired) as caught:
            read(repository, bucket.snapshot)
        assert (caught.value.code, caught.value.kind) == ("thaw_required", "conflict")
        assert f"{bucket.prefix}/{caught.value.path}" in bucket.packs()
        assert caught.value.path in caught.value.detail

        bucket.thaw()
        assert read(repository, bucket.snapshot) == CONTENT


def test_classes_that_answer_at_once_are_read_at_once(bucket: Bucket) -> None:
    bucket.archive("GLACIER_IR")

    with Repository.open(bucket.files(), PASSWORD) as repository:
        assert read(repository, bucket.snapshot) == CONTENT
