"""Restores into directories and buckets, by workers on real servers."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from connector.restore.transfer import WORTH_FILES
from contracts.field_values import FieldValue
from contracts.messages.assignment import App
from contracts.messages.connector.task_events import (
    TaskCancelled,
    TaskFailed,
    TaskLogged,
    TaskMeasured,
    TaskProgressed,
    TaskStarted,
    TaskSucceeded,
)
from contracts.messages.scheduler import TaskRequested

from tests.integration.connector.backed_up import TREE, backed_up, spoil
from tests.integration.connector.worker_fixture import WorkerFixture, ready
from tests.support.s3 import BUCKET, moto_s3
from tests.support.tree_properties import DEFAULT_ACL, acl, make_tree, properties_of
from tests.support.waiting import eventually_async

in_process = pytest.mark.usefixtures("app")


def there(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@in_process
async def test_a_restore_writes_a_part_verifies_it_and_goes_back_to_its_source(
    ground: WorkerFixture, tmp_path: Path
) -> None:
    source, store, snapshot_id = await backed_up(ground, tmp_path.name)
    target = ground.folder / "targets" / tmp_path.name
    target.parent.mkdir(exist_ok=True)
    destination = await ground.assign("destination", target)

    part = await ground.request(store, destination, type_="restore", snapshot_id=snapshot_id, paths=("/deep",))
    done = await ground.ending(part, TaskSucceeded)
    (Path(source.fields["root"].value or "") / "readme.txt").unlink()
    back = await ground.request(store, source, type_="restore", snapshot_id=snapshot_id, overwrite="never")
    returned = await ground.ending(back, TaskSucceeded)

    assert there(target) == {path: data for path, data in TREE.items() if path.startswith("deep/")}
    assert (done.data.result.files_written, done.data.result.files_verified) == (2, 2)
    assert there(Path(source.fields["root"].value or "")) == TREE
    assert (returned.data.result.files_written, returned.data.result.files_unchanged) == (1, 2)
    assert (returned.data.result.created, returned.data.result.replaced, returned.data.result.kept) == (1, 0, 4)
    assert {told.phase for told in ground.published(part, TaskProgressed)} >= {"verifying"}
    assert outcomes_of(ground, part) == {"/deep/er/data.bin": "ok", "/deep/empty": "ok"}
    assert outcomes_of(ground, back)["/readme.txt"] == "ok"
    assert set(outcomes_of(ground, back).values()) == {"ok", "unchanged"}
    assert [p.name for e in ground.published(part, TaskMeasured) for p in e.phases] == [
        "preparing", "transferring", "verifying"
    ]  # fmt: skip
    # Read by the worker itself, whose process is measured meanwhile.
    assert ground.published(part, TaskMeasured)[-1].totals.cpu_seconds is not None
    assert ground.published(part, TaskLogged)


def outcomes_of(ground: WorkerFixture, request: TaskRequested) -> dict[str, str]:
    return {path.path: path.status for told in ground.published(request, TaskMeasured) for path in told.paths}


@in_process
@pytest.mark.parametrize("more", [0, WORTH_FILES])
async def test_a_restored_tree_is_what_was_backed_up_property_by_property(
    ground: WorkerFixture, tmp_path: Path, more: int
) -> None:
    place = ground.files("sources", tmp_path.name)
    make_tree(place)
    # With so many, its small files are written by processes.
    (place / "more").mkdir()
    for number in range(more):
        (place / "more" / str(number)).write_text(str(number))
    _, store, snapshot_id = await backed_up(ground, tmp_path.name, {})
    target = ground.files("targets", tmp_path.name)
    # What is in the way there already is replaced, with what it has that the restore point has not.
    (target / "plain").symlink_to(target / "elsewhere")
    (target / "deep").mkdir(mode=0o700)
    os.setxattr(target / "deep", "user.extra", b"x")
    os.setxattr(target / "deep", DEFAULT_ACL, acl(user=1))
    destination = await ground.assign("destination", target)

    request = await ground.request(store, destination, type_="restore", snapshot_id=snapshot_id)
    done = await ground.ending(request, TaskSucceeded)

    assert properties_of(target) == properties_of(place)
    assert done.data.result.problem_count == 0


@in_process
async def test_a_restore_takes_the_newest_that_fulfils_the_conditions_and_goes_into_a_folder(
    ground: WorkerFixture, tmp_path: Path
) -> None:
    source, store, _ = await backed_up(ground, tmp_path.name, {"a": b"first"})
    await ground.ending(await ground.request(source, store, labels=("monthly",)), TaskSucceeded)
    (Path(source.fields["root"].value or "") / "a").write_bytes(b"later")
    await ground.ending(await ground.request(source, store), TaskSucceeded)
    target = ground.files("targets", tmp_path.name)
    destination = await ground.assign("destination", target)

    async def restored(folder: str, **options: Any) -> tuple[Any, str]:
        request = await ground.request(store, destination, type_="restore", root=folder, **options)
        done = await ground.ending(request, TaskSucceeded)
        log = [line.text for told in ground.published(request, TaskLogged) for line in told.lines]
        return done.data.result, next(line for line in log if line.startswith("The restore point is"))

    labelled, labelled_line = await restored("with/labels", labels=("monthly",))
    latest, latest_line = await restored(
        "latest", locate={"filters": {"dataset": source.id, "environment": "production"}}
    )
    dry, _ = await restored("not made/yet", dry_run=True, keep={"owner": False})

    assert there(target) == {"with/labels/a": b"first", "latest/a": b"later"}
    assert {path.name for path in target.iterdir()} == {"with", "latest"}
    assert (labelled.points_matched, latest.points_matched, labelled.root) == (1, 3, "with/labels")
    assert "the newest of 1 that fulfil all conditions (labels monthly)" in labelled_line
    assert latest.snapshot_id[:8] in latest_line
    assert (dry.dry_run, dry.created, dry.files_written, dry.snapshot_id) == (True, 1, 0, latest.snapshot_id)
    assert [(change.path, change.change) for change in dry.changes] == [("/a", "created")]
    assert dry.not_kept == ("owner",)


@in_process
async def test_a_folder_that_leads_out_of_the_destination_is_refused(ground: WorkerFixture, tmp_path: Path) -> None:
    _, store, snapshot_id = await backed_up(ground, tmp_path.name, {"a": b"a"})
    target, outside = ground.files("targets", tmp_path.name), ground.files("outside", tmp_path.name)
    (target / "link").symlink_to(outside)
    destination = await ground.assign("destination", target)

    for folder in ("link", "link/deeper"):
        request = await ground.request(store, destination, type_="restore", snapshot_id=snapshot_id, root=folder)
        failed = await ground.ending(request, TaskFailed)
        assert failed.data.problem.code == "root_forbidden"
        assert "out of the root of the destination" in failed.data.problem.detail
    assert not list(outside.iterdir())


@in_process
async def test_what_a_restore_cannot_do_is_told_in_words(ground: WorkerFixture, tmp_path: Path) -> None:
    _, store, snapshot_id = await backed_up(ground, tmp_path.name)
    destination = await ground.assign("destination", ground.files("targets", tmp_path.name))
    forbidden = await ground.assign("destination", ground.folder / "state" / "inside")

    async def code(target: App, **options: Any) -> str:
        ended = await ground.ending(await ground.request(store, target, type_="restore", **options), TaskFailed)
        return str(ended.data.problem.code)

    assert await code(destination, snapshot_id="f" * 64) == "snapshot_not_found"
    assert await code(destination, snapshot_id=snapshot_id, paths=("/nowhere",)) == "path_not_found"
    assert await code(destination, labels=("nobody has this",)) == "no_restore_point"
    assert await code(forbidden, snapshot_id=snapshot_id) == "root_forbidden"
    spoil(store)
    ended = await ground.ending(
        await ground.request(store, destination, type_="restore", snapshot_id=snapshot_id), TaskFailed
    )
    assert ended.data.problem.code == "restore_incomplete"
    assert "/deep/er/data.bin" in ended.data.problem.detail
    assert set(there(ground.files("targets", tmp_path.name))) == {"readme.txt", "deep/empty"}


@in_process
async def test_a_restore_point_that_was_deleted_is_not_found_though_all_that_it_had_is_there(
    ground: WorkerFixture, tmp_path: Path
) -> None:
    _, store, snapshot_id = await backed_up(ground, tmp_path.name)
    destination = await ground.assign("destination", ground.files("targets", tmp_path.name))
    # The worker has it in memory from here on.
    await ground.ending(await ground.request(store, None, type_="check", snapshot_id=snapshot_id), TaskSucceeded)
    (Path(store.fields["root"].value or "") / "snapshots" / snapshot_id).unlink()

    for type_, target in (("restore", destination), ("check", None)):
        ended = await ground.ending(
            await ground.request(store, target, type_=type_, snapshot_id=snapshot_id), TaskFailed
        )
        assert ended.data.problem.code == "snapshot_not_found"
        assert ended.data.problem.detail == f"No snapshot has the id {snapshot_id!r}."


@in_process
async def test_files_are_restored_into_a_bucket_and_back(ground: WorkerFixture, tmp_path: Path) -> None:
    _, store, snapshot_id = await backed_up(ground, tmp_path.name)
    with moto_s3() as server:
        fields = {name: FieldValue(value=value) for name, value in server.fields(f"{BUCKET}/restored").items()}
        facts: dict[str, Any] = {
            "protocol": "s3",
            "integration": {"id": "s3", "name": "s3", "version": "1"},
            "endpoints": (server.endpoint,),
        }
        bucket = await ground.assign("destination", tmp_path, fields={**fields, "passphrase": None}, **facts)
        options = {"type_": "restore", "snapshot_id": snapshot_id}
        before = await ground.ending(await ground.request(store, bucket, dry_run=True, **options), TaskSucceeded)
        ended = await ground.ending(await ground.request(store, bucket, **options), TaskSucceeded)
        after = await ground.ending(await ground.request(store, bucket, dry_run=True, **options), TaskSucceeded)
        client = server.client()
        listed = client.list_objects_v2(Bucket=BUCKET)["Contents"]
        found = {o["Key"]: client.get_object(Bucket=BUCKET, Key=o["Key"])["Body"].read() for o in listed}

    assert found == {f"restored/{path}": data for path, data in TREE.items()}
    # Directories with something in them are parts of keys.
    results = [each.data.result for each in (before, ended, after)]
    assert [(each.created, each.replaced, each.kept) for each in results] == [(3, 0, 2), (3, 0, 2), (0, 3, 2)]
    assert set(ended.data.result.not_kept) >= {"owner", "mode", "links", "hard_links", "xattrs"}
    assert ended.data.result.files_verified == len(TREE)


MANY = {f"d{n % 20}/{n}": os.urandom(60 << 10) for n in range(1500)}


async def test_a_killed_restore_is_taken_over_and_a_cancelled_one_stops(fresh_ground: WorkerFixture) -> None:
    ground = fresh_ground
    with ground.worker("first") as first:
        await ready(first)
        _, store, snapshot_id = await backed_up(ground, "many", MANY)
        target = ground.files("targets", "many")
        destination = await ground.assign("destination", target)
        request = await ground.request(store, destination, type_="restore", snapshot_id=snapshot_id, overwrite="never")
        await eventually_async(lambda: _any(target), 30)
        first.process.kill()
    with ground.worker("second") as second:
        await ready(second)
        ended = await ground.ending(request, TaskSucceeded)
        assert there(target) == MANY
        assert {told.attempt for told in ground.published(request, TaskStarted)} == {1, 2}
        result = ended.data.result
        assert result.files_written + result.files_unchanged == result.files_verified == len(MANY)

        other = ground.files("targets", "other")
        destination = await ground.assign("destination", other)
        request = await ground.request(store, destination, type_="restore", snapshot_id=snapshot_id)
        await eventually_async(lambda: _any(other), 30)
        await ground.cancel(request)
        await ground.ending(request, TaskCancelled)
        assert not list(other.rglob(".cairn-restore-*"))
        assert len(there(other)) < len(MANY)


async def test_a_restore_whose_worker_was_stopped_is_taken_over_and_the_worker_does_no_harm_when_it_goes_on(
    fresh_ground: WorkerFixture,
) -> None:
    ground = fresh_ground
    with ground.worker("first") as first:
        await ready(first)
        _, store, snapshot_id = await backed_up(ground, "stopped", MANY)
        target = ground.files("targets", "stopped")
        destination = await ground.assign("destination", target)
        request = await ground.request(store, destination, type_="restore", snapshot_id=snapshot_id)
        await eventually_async(lambda: _any(target), 30)
        first.process.send_signal(signal.SIGSTOP)
        with ground.worker("second") as second:
            await ready(second)
            ended = await ground.ending(request, TaskSucceeded)
            first.process.send_signal(signal.SIGCONT)
            first.stop()

    assert ended.data.attempt == 2
    assert there(target) == MANY
    assert ended.data.result.files_verified == len(MANY)


async def _any(folder: Path) -> bool:
    return any(path.is_file() for path in folder.rglob("*"))
