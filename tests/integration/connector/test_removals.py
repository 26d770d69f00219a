"""Deleting restore points and maintaining stores, by workers on real servers."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from chassis.ids import new_id
from connector.app import open_app
from contracts.field_values import FieldValue
from contracts.messages.assignment import App
from contracts.messages.connector.task_events import TaskCancelled, TaskFailed, TaskProgressed, TaskSucceeded

from tests.integration.connector.gate import Gate
from tests.integration.connector.removing import (
    are_listed,
    by_hand,
    hold,
    left_in,
    listed,
    log_of,
    now,
    place_of,
    points_in,
    require_sound,
    result_of,
)
from tests.integration.connector.worker_fixture import PASSPHRASE, WorkerFixture, initialize, ready, write_tree
from tests.integration.engine.programs import slow
from tests.support.append_only import undeletable_files
from tests.support.s3 import moto_s3
from tests.support.store_locks import leave_lock
from tests.support.unprivileged import write_unprivileged
from tests.support.waiting import eventually_async

RULE = {"day": 2, "per_day": 1}
"""The latest of two days: midnight may pass while a test runs."""
ENDED_SECONDS = 12.0
"""Noticed within 2 s and ended within 10 s."""


async def source_and_store(ground: WorkerFixture, name: str) -> tuple[App, App]:
    source = await ground.assign("source", write_tree(ground.files("sources", name), {"first": b"1"}))
    return source, await ground.store_made_by_hand(name)


@pytest.mark.usefixtures("app")
async def test_what_is_deleted_is_gone_at_the_end_of_the_job_and_what_is_held_stays(
    ground: WorkerFixture, tmp_path: Path
) -> None:
    source, store = await source_and_store(ground, tmp_path.name)
    first, second, third = await points_in(ground, source, store, 3)
    await hold(ground, store, [second])

    request = await ground.request(store, None, type_="rm", snapshot_ids=(first, second))
    ended = result_of(await ground.ending(request, TaskSucceeded))
    there = await listed(ground, store)
    nothing = await ground.ending(await ground.request(store, None, type_="rm", snapshot_id=second), TaskFailed)

    assert (ended.deleted, ended.held, ended.floored) == ((first,), (second,), ())
    assert ended.unused_bytes > 200_000
    assert there == left_in(ground, store) == {second, third}
    assert any(second in line and "legal hold" in line for line in log_of(ground, request))
    assert nothing.data.problem.code == "restore_points_kept"
    require_sound(ground, store)


@pytest.mark.usefixtures("app")
async def test_a_prune_and_backups_at_once_all_succeed_and_the_same_rule_again_deletes_nothing(
    ground: WorkerFixture, tmp_path: Path
) -> None:
    source, store = await source_and_store(ground, tmp_path.name)
    other = await ground.assign("source", write_tree(ground.files("sources", f"{tmp_path.name}-b"), {"b": b"b"}))
    first, second = await points_in(ground, source, store, 2)

    prune = await ground.request(store, None, type_="prune", **RULE)
    backup = await ground.request(other, store)
    ended = result_of(await ground.ending(prune, TaskSucceeded))
    made = result_of(await ground.ending(backup, TaskSucceeded)).snapshot_id
    again = result_of(
        await ground.ending(
            await ground.request(store, None, type_="prune", **RULE, locate={"group_by": "dataset"}), TaskSucceeded
        )
    )

    assert first in ended.deleted
    assert set(ended.deleted) <= {first, second}
    assert again.deleted == ()
    left = {second, made} - set(ended.deleted)
    assert left_in(ground, store) == left
    await are_listed(ground, store, left)
    require_sound(ground, store)


@pytest.mark.usefixtures("app")
async def test_maintenance_mends_the_index_and_removes_stale_locks_and_unused_data(
    ground: WorkerFixture, tmp_path: Path
) -> None:
    source, store = await source_and_store(ground, tmp_path.name)
    first, second = await points_in(ground, source, store, 2)
    by_hand(ground, store, "forget", first)
    next((place_of(store) / "index").iterdir()).unlink()
    leave_lock(place_of(store), PASSPHRASE, host="elsewhere", minutes_old=31)

    ended = result_of(await ground.ending(await ground.request(store, None, type_="maintenance"), TaskSucceeded))

    assert len(ended.locks_removed) == 1
    assert "on the host elsewhere" in ended.locks_removed[0]
    assert ended.index_repaired
    assert ended.unused_bytes > 200_000
    assert left_in(ground, store) == {second}
    require_sound(ground, store)


async def test_tasks_that_need_a_store_for_themselves_wait_in_order_and_go_on_after_a_kill(
    fresh_ground: WorkerFixture,
) -> None:
    ground, gate = fresh_ground, Gate(fresh_ground.files("gate"), fresh_ground.restic, command="prune")
    with ground.worker("first", restic=gate.script, slots=4) as first:
        await ready(first)
        source, store = await source_and_store(ground, "line")
        points = await points_in(ground, source, store, 2)
        removal = await ground.request(store, None, type_="rm", snapshot_id=points[0])
        await gate.arrived(1)
        check = await ground.request(store, None, type_="check")
        cancelled = await ground.request(store, None, type_="maintenance")

        def both_wait(_: object) -> bool:
            waits = [ground.published(each, TaskProgressed) for each in (check, cancelled)]
            return all(any(removal.job_id in event.waiting_for for event in events) for events in waits)

        await ground.asker.ear.until(both_wait, 30)
        await ground.cancel(cancelled)
        await ground.ending(cancelled, TaskCancelled)
        first.kill()
    for number in (2, 3):
        gate.open(number)
    with ground.worker("second", restic=gate.script) as second:
        await ready(second)
        ended = await ground.ending(removal, TaskSucceeded)
        await ground.ending(check, TaskSucceeded)

    assert ended.data.attempt == 2
    assert ended.data.result.deleted == (points[0],)
    assert left_in(ground, store) == {points[1]}
    require_sound(ground, store)


async def test_canceled_deletions_end_soon_and_leave_no_lock(fresh_ground: WorkerFixture) -> None:
    ground, requests, stores = fresh_ground, [], []
    # The index of a few hundred files takes it minutes.
    restic = slow(ground.restic, ground.folder / "slow-restic", kib_per_second=1, also_reads=True, command="prune")
    with ground.worker("only", restic=restic) as only:
        await ready(only)
        for type_ in ("rm", "prune"):
            source, store = await source_and_store(ground, type_)
            write_tree(place_of(source), {f"small-{number}": os.urandom(100) for number in range(300)})
            points = await points_in(ground, source, store, 2)
            options = {"snapshot_ids": (points[0],)} if type_ == "rm" else RULE
            requests.append(await ground.request(store, None, type_=type_, **options))
            stores.append(store)

        def are_freeing(_: object) -> bool:
            told = [ground.published(each, TaskProgressed) for each in requests]
            return all(any(event.phase == "freeing" for event in events) for events in told)

        await ground.asker.ear.until(are_freeing, 40)
        await eventually_async(lambda: all(locked(each) for each in stores), 30)
        for request in requests:
            await ground.cancel(request)
        for request, store in zip(requests, stores, strict=True):
            await ground.ending(request, TaskCancelled, deadline_seconds=ENDED_SECONDS)
            assert not locked(store)
    for store in stores:
        require_sound(ground, store)


def locked(store: App) -> bool:
    """Whether some process has a lock on a store."""
    return any((place_of(store) / "locks").iterdir())


async def test_a_bucket_with_object_lock_and_a_directory_that_keeps_its_files_are_recognized(
    fresh_ground: WorkerFixture, tmp_path: Path
) -> None:
    ground = fresh_ground
    restic = write_unprivileged(tmp_path / "restic", ground.restic)
    with moto_s3() as server:
        async with open_app(ground.settings(restic=str(restic))):
            client, bucket = server.client(), f"locked-{new_id().lower()}"
            client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
            rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 30}}
            lock = {"ObjectLockEnabled": "Enabled", "Rule": rule}
            client.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=lock)
            fields = {name: FieldValue(value=value) for name, value in server.fields(f"{bucket}/site").items()}
            source, directory = await source_and_store(ground, tmp_path.name)
            locked = await ground.assign("store", tmp_path, protocol="s3", endpoints=(server.endpoint,), fields=fields)
            assert (await ground.asker.ask(initialize(locked))).accepted
            in_bucket = (await points_in(ground, source, locked, 1))[0]
            in_directory = (await points_in(ground, source, directory, 1))[0]

            hidden = await ground.ending(
                await ground.request(locked, None, type_="rm", snapshot_id=in_bucket), TaskSucceeded
            )
            with undeletable_files([place_of(directory) / "snapshots"]):
                request = await ground.request(directory, None, type_="rm", snapshot_id=in_directory)
                kept = await ground.ending(request, TaskSucceeded)

        versions = client.list_object_versions(Bucket=bucket, Prefix="site/snapshots")

    assert hidden.data.result.deleted == (in_bucket,)
    assert "S3 Object Lock (COMPLIANCE, 30 days)" in hidden.data.result.store_keeps
    assert timedelta(days=29) < hidden.data.result.kept_until - now() < timedelta(days=30)
    assert (len(versions["Versions"]), len(versions["DeleteMarkers"])) == (1, 1)
    assert (kept.data.result.deleted, kept.data.result.kept_by_store) == ((), (in_directory,))
    assert "permission denied" in kept.data.result.store_keeps
    assert any(in_directory in line and "does not delete" in line for line in log_of(ground, request))
    assert left_in(ground, directory) == {in_directory}
    require_sound(ground, directory)
