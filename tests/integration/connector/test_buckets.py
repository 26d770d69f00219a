"""A store in a bucket that is gone, emptied or robbed of its snapshots: said in words, and nothing is touched."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from chassis.ids import new_id
from connector.app import open_app
from contracts.field_values import FieldValue
from contracts.messages.assignment import App
from contracts.messages.connector.task_events import TaskSucceeded
from fastapi import FastAPI

from tests.integration.connector.comparing import indexed, refresh, refusals
from tests.integration.connector.worker_fixture import WorkerFixture, connection_test, initialize, write_tree
from tests.support.s3 import S3Server, moto_s3
from tests.support.waiting import eventually_async

pytestmark = pytest.mark.usefixtures("app")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def app(ground: WorkerFixture) -> AsyncIterator[FastAPI]:
    """A worker that compares stores only when it is asked to."""
    async with open_app(ground.settings(refresh_seconds=0, browsable_patience_seconds=1.0)) as running:
        yield running


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with moto_s3() as running:
        yield running


class Bucket:
    """A bucket with a store below a prefix."""

    def __init__(self, server: S3Server, name: str) -> None:
        self.client, self.name, self.prefix = server.client(), name, "site"
        self.client.create_bucket(Bucket=name)

    def keys(self, below: str = "") -> list[str]:
        found = self.client.list_objects_v2(Bucket=self.name, Prefix=f"{self.prefix}/{below}")
        return [each["Key"] for each in found.get("Contents", ())]

    def remove(self, below: str = "") -> None:
        for key in self.keys(below):
            self.client.delete_object(Bucket=self.name, Key=key)


@pytest.fixture
def bucket(server: S3Server) -> Bucket:
    return Bucket(server, f"bucket-{new_id().lower()}")


@pytest.fixture
async def store(ground: WorkerFixture, server: S3Server, bucket: Bucket) -> App:
    """A store with one restore point that the index knows."""
    root = f"{bucket.name}/{bucket.prefix}"
    fields = {name: FieldValue(value=value) for name, value in server.fields(root).items()}
    integration = {"id": "s3", "name": "s3", "version": "1"}
    made = await ground.assign(
        "store", Path(root), protocol="s3", integration=integration, endpoints=(server.endpoint,), fields=fields
    )
    await ground.asker.ask(initialize(made))
    source = await ground.assign("source", write_tree(ground.files("kept"), {"a": b"a"}))
    await ground.ending(await ground.request(source, made), TaskSucceeded)
    return made


def gone(bucket: Bucket) -> None:
    bucket.remove()
    bucket.client.delete_bucket(Bucket=bucket.name)


def emptied(bucket: Bucket) -> None:
    bucket.remove()


def content(bucket: Bucket) -> list[str] | None:
    try:
        return bucket.keys()
    except bucket.client.exceptions.NoSuchBucket:
        return None


@pytest.mark.parametrize("lose", [gone, emptied])
async def test_what_is_gone_is_missing_until_a_creation_is_forced(
    ground: WorkerFixture, store: App, bucket: Bucket, lose: Callable[[Bucket], None]
) -> None:
    known = await indexed(ground, store)
    lose(bucket)
    left = content(bucket)

    said = await refusals(ground, store)

    assert said <= {"repository_missing", "bucket_missing"}
    assert "repository_missing" in said
    assert await indexed(ground, store) == known
    assert len(known) == 1
    assert content(bucket) == left
    forced = await ground.asker.ask(initialize(store).model_copy(update={"force": True}))
    assert forced.result["adopted"] is False
    await eventually_async(lambda: _is(indexed(ground, store), {}), 30)


async def test_lost_snapshots_are_no_empty_store(ground: WorkerFixture, store: App, bucket: Bucket) -> None:
    known = await indexed(ground, store)
    [snapshot] = bucket.keys("snapshots/")
    kept = bucket.client.get_object(Bucket=bucket.name, Key=snapshot)["Body"].read()
    bucket.remove("snapshots/")
    left = bucket.keys()

    assert await refusals(ground, store) == {"snapshots_missing"}
    assert await indexed(ground, store) == known
    assert bucket.keys() == left
    bucket.client.put_object(Bucket=bucket.name, Key=snapshot, Body=kept)
    report = (await ground.asker.ask(connection_test(store))).result
    assert report["ok"], report
    assert (await refresh(ground, store))[1].removed == 0
    bucket.remove("snapshots/")
    forced = await ground.asker.ask(initialize(store).model_copy(update={"force": True}))
    assert forced.result["adopted"] is True
    await eventually_async(lambda: _is(indexed(ground, store), {}), 30)


async def _is(found: Any, wanted: Any) -> bool:
    return bool(await found == wanted)
