"""Syncs of one store into another, by a worker on real servers."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from chassis.ids import new_id
from contracts.field_values import FieldValue
from contracts.messages.assignment import App
from contracts.messages.connector.task_events import TaskFailed, TaskLogged, TaskSucceeded
from contracts.task_types.sync import SyncResult
from contracts.values import AppId

from tests.integration.connector.backed_up import TREE
from tests.integration.connector.worker_fixture import PASSPHRASE, WorkerFixture, initialize, ref, write_tree
from tests.support.s3 import BUCKET, S3Server, moto_s3

OTHER = "canary other passphrase"


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with moto_s3(strict=True) as running:
        yield running


async def replica_store(ground: WorkerFixture, name: str, *, like: App | None = None, passphrase: str = OTHER) -> App:
    """A store with a new repository that another passphrase opens."""
    app_id = AppId(new_id())
    secret = {"passphrase": ground.sealed(app_id, passphrase)}
    store = await ground.assign("store", ground.files("replicas", name), id=app_id, fields=secret)
    return await made(ground, store, like=like)


async def made(ground: WorkerFixture, store: App, *, like: App | None = None) -> App:
    command = initialize(store).model_copy(update={"chunker_of": ref(like) if like else None})
    outcome = await ground.asker.ask(command)
    assert outcome.accepted, outcome.problem
    return store


def s3_fields(ground: WorkerFixture, server: S3Server, app_id: AppId, prefix: str) -> dict[str, FieldValue]:
    plain = server.fields(f"{BUCKET}/{prefix}").items()
    return {name: FieldValue(value=value) for name, value in plain} | {"passphrase": ground.sealed(app_id, OTHER)}


async def bucket_store(ground: WorkerFixture, server: S3Server, prefix: str) -> App:
    app_id = AppId(new_id())
    store = await ground.assign(
        "store",
        Path(prefix),
        id=app_id,
        fields=s3_fields(ground, server, app_id, prefix),
        protocol="s3",
        integration={"id": "s3", "name": "s3", "version": "1"},
        endpoints=(server.endpoint,),
    )
    return await made(ground, store)


async def backed_up_twice(ground: WorkerFixture, name: str) -> tuple[App, tuple[str, str]]:
    """A store with two restore points of one source; the first has the label `weekly`."""
    root = write_tree(ground.files("sources", name), dict(TREE))
    source, store = await ground.assign("source", root), await ground.store_made_by_hand(name)
    first = await ground.ending(await ground.request(source, store, labels=("weekly",)), TaskSucceeded)
    (root / "later").write_text("later")
    second = await ground.ending(await ground.request(source, store), TaskSucceeded)
    return store, (first.data.result.snapshot_id, second.data.result.snapshot_id)


async def synced(ground: WorkerFixture, origin: App, target: App, **options: Any) -> SyncResult:
    request = await ground.request(origin, target, type_="sync", **options)
    result = (await ground.ending(request, TaskSucceeded)).data.result
    assert isinstance(result, SyncResult)
    return result


async def failure(ground: WorkerFixture, origin: App, target: App, **options: Any) -> Any:
    request = await ground.request(origin, target, type_="sync", **options)
    return (await ground.ending(request, TaskFailed)).data.problem


async def indexed(ground: WorkerFixture, store: App) -> list[dict[str, Any]]:
    """The restore points that the index knows of a store, oldest first."""
    async with ground.index as index:
        found = (await index.get("/internal/restore-points", params={"store_id": store.id})).json()["items"]
    return sorted(found, key=lambda each: str(each["time"]))


def bytes_in(store: App) -> int:
    return sum(path.stat().st_size for path in Path(store.fields["root"].value or "").glob("data/*/*"))


def originals(points: Sequence[dict[str, Any]]) -> list[str]:
    return [each["original"] for each in points]


@pytest.mark.usefixtures("app")
class TestSyncs:
    async def test_what_is_missing_is_copied_and_can_be_browsed_as_a_replica_and_the_next_one_copies_nothing(
        self, ground: WorkerFixture, tmp_path: Path
    ) -> None:
        origin, (first, second) = await backed_up_twice(ground, tmp_path.name)
        target = await replica_store(ground, tmp_path.name, like=origin)

        labelled = await synced(ground, origin, target, labels=["weekly"])
        before = bytes_in(target)
        rest = await synced(ground, origin, target)
        known = await indexed(ground, target)
        back = await synced(ground, target, origin)
        again = await ground.request(origin, target, type_="sync")
        nothing = (await ground.ending(again, TaskSucceeded)).data.result

        assert (labelled.points_chosen, labelled.points_copied, labelled.points_present) == (1, 1, 0)
        assert (rest.points_chosen, rest.points_copied, rest.points_present) == (2, 1, 1)
        assert (nothing.points_chosen, nothing.points_copied, nothing.points_present) == (2, 0, 2)
        assert (back.points_copied, back.points_present) == (0, 2)
        assert labelled.bytes_copied > len(TREE["deep/er/data.bin"]) > rest.bytes_copied > 0
        assert bytes_in(target) - before < 100_000
        assert originals(known) == [first, second]
        assert all(each["browsable"] and each["origin_store_id"] == origin.id for each in known)
        taken = [{name: each[name] for name in ("tags", "source_id", "tree_id", "job_id", "time")} for each in known]
        assert taken == [{name: each[name] for name in taken[0]} for each in await indexed(ground, origin)]
        lines = [line.text for each in ground.published(again, TaskLogged) for line in each.lines]
        assert any("2 of 2 restore points are to be in the target" in line for line in lines)

    async def test_a_bucket_takes_copies_and_gives_them_back(
        self, ground: WorkerFixture, server: S3Server, tmp_path: Path
    ) -> None:
        origin, (first, second) = await backed_up_twice(ground, tmp_path.name)
        bucket, back = await bucket_store(ground, server, "copies"), await replica_store(ground, tmp_path.name)

        to_bucket = await synced(ground, origin, bucket, snapshot_ids=[first, second], latest=True)
        from_bucket = await synced(ground, bucket, back)

        assert (to_bucket.points_copied, from_bucket.points_copied) == (1, 1)
        assert originals(await indexed(ground, bucket)) == originals(await indexed(ground, back)) == [second]

    async def test_copied_data_joins_what_was_backed_up_into_a_store_with_the_same_chunker(
        self, ground: WorkerFixture, tmp_path: Path
    ) -> None:
        origin, _ = await backed_up_twice(ground, tmp_path.name)
        target = await replica_store(ground, tmp_path.name, like=origin)
        own = write_tree(ground.files("own", tmp_path.name), dict(TREE))
        await ground.ending(await ground.request(await ground.assign("source", own), target), TaskSucceeded)
        before = bytes_in(target)

        await synced(ground, origin, target)

        assert bytes_in(target) - before < 100_000  # Directories alone.

    async def test_what_is_wrong_is_told_of_the_store_that_it_is_about(
        self, ground: WorkerFixture, tmp_path: Path
    ) -> None:
        origin, (there, _) = await backed_up_twice(ground, tmp_path.name)
        bare = await ground.assign("store", ground.files("bare", tmp_path.name))
        target = await replica_store(ground, tmp_path.name)
        wrong = await ground.assign(
            "store", Path(target.fields["root"].value or ""), name="wrong", fields={}, id=new_id()
        )

        not_there = await failure(ground, origin, bare)
        wrong_target = await failure(ground, origin, wrong)
        wrong_origin = await failure(ground, wrong, target)
        missing = await failure(ground, origin, target, snapshot_ids=(there, "f" * 64))

        assert (not_there.code, wrong_target.code, wrong_origin.code) == (
            "store_not_initialized",
            "passphrase_wrong",
            "passphrase_wrong",
        )
        assert not_there.detail.startswith(f"The target '{bare.name}': ")
        assert wrong_target.detail.startswith("The target 'wrong': ")
        assert wrong_origin.detail.startswith("The origin 'wrong': ")
        assert (missing.code, "f" * 64 in missing.detail) == ("snapshot_not_found", True)
        assert await indexed(ground, target) == []
        assert PASSPHRASE not in f"{wrong_target}{wrong_origin}"
        assert not list(Path(bare.fields["root"].value or "").iterdir())

    async def test_a_chunker_of_a_store_that_cannot_be_opened_is_told_of_that_store(
        self, ground: WorkerFixture, tmp_path: Path
    ) -> None:
        bare = await ground.assign("store", ground.files("bare", tmp_path.name))
        new = await ground.assign("store", ground.files("new", tmp_path.name))

        refused = await ground.asker.rejection(initialize(new).model_copy(update={"chunker_of": ref(bare)}))

        assert refused.code == "store_not_initialized"
        assert refused.detail.startswith(f"The origin '{bare.name}': ")
        assert not list(Path(new.fields["root"].value or "").iterdir())
