"""Checks of stores and of restore points, by a worker on real servers."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from contracts.messages.connector.task_events import TaskCancelled, TaskEvent, TaskFailed, TaskSucceeded

from tests.integration.connector.backed_up import TREE, backed_up, spoil
from tests.integration.connector.worker_fixture import WorkerFixture, ready
from tests.support.waiting import eventually_async


@pytest.mark.usefixtures("app")
async def test_a_check_of_a_sound_store_finds_nothing_and_a_damaged_one_is_told(
    ground: WorkerFixture, tmp_path: Path
) -> None:
    _, store, snapshot_id = await backed_up(ground, tmp_path.name)
    for options in ({}, {"read_percent": 100}, {"snapshot_id": snapshot_id, "read_percent": 100}):
        sound = await ground.ending(await ground.request(store, None, type_="check", **options), TaskSucceeded)
        assert sound.data.result.finding_count == 0
    spoil(store)

    structure = await ground.ending(await ground.request(store, None, type_="check"), TaskSucceeded)
    whole = await ground.ending(await ground.request(store, None, type_="check", read_percent=100), TaskFailed)
    wanted = {"snapshot_id": snapshot_id, "read_percent": 100}
    point = await ground.ending(await ground.request(store, None, type_="check", **wanted), TaskFailed)

    assert structure.data.result.read_percent == 0
    assert (whole.data.problem.code, point.data.problem.code) == ("check_failed", "check_failed")
    assert whole.data.result.finding_count > 0
    assert not any("restic repair" in finding for finding in whole.data.result.findings)
    assert "/deep/er/data.bin" in point.data.problem.detail
    assert (point.data.result.finding_count, point.data.result.files) == (1, 3)


@pytest.mark.usefixtures("app")
async def test_a_check_reads_the_restore_points_that_are_meant_or_the_next_share_of_all_data(
    ground: WorkerFixture, tmp_path: Path
) -> None:
    source, store, first = await backed_up(ground, tmp_path.name)
    await ground.ending(await ground.request(source, store, labels=("monthly",)), TaskSucceeded)

    async def checked(wanted: type[TaskEvent] = TaskSucceeded, **options: Any) -> Any:
        request = await ground.request(store, None, type_="check", **options)
        return (await ground.ending(request, wanted)).data

    labelled = (await checked(labels=("monthly",), read_percent=100)).result
    both = (await checked(locate={"filters": {"dataset": source.id}}, read_percent=100)).result
    nothing = (await checked(TaskFailed, labels=("nobody has this",))).problem
    missing = (await checked(TaskFailed, snapshot_ids=(first, "f" * 64, "e" * 64))).problem
    shares = [(await checked(read_shares=2)).result for _ in range(3)]
    # Restic divides packs by the first byte of their names.
    pack = max(Path(store.fields["root"].value or "").glob("data/*/*"), key=lambda path: path.stat().st_size)
    share = int(pack.name[:2], 16) % 2 + 1
    spoil(store)
    next_one = await checked(TaskFailed if share == 2 else TaskSucceeded, read_shares=2)
    one_more = await checked(TaskFailed if share == 1 else TaskSucceeded, read_shares=2)
    damaged = (await checked(TaskFailed, locate={"filters": {"dataset": source.id}}, read_percent=100)).problem

    assert (labelled.points, labelled.files, labelled.bytes_read) == (1, 3, sum(map(len, TREE.values())))
    assert (both.points, both.files, len(both.snapshot_ids)) == (2, 6, 2)
    assert nothing.code == "no_restore_point"
    assert (missing.code, f"{'f' * 64}, {'e' * 64}" in missing.detail) == ("snapshot_not_found", True)
    assert [(each.read_share, each.read_shares) for each in shares] == [(1, 2), (2, 2), (1, 2)]
    assert [next_one.result.read_share, one_more.result.read_share] == [2, 1]
    assert next_one.result.finding_count + one_more.result.finding_count > 0
    assert damaged.detail.startswith("Damage found: restore point ")


def waiting_restic(ground: WorkerFixture) -> tuple[Path, Callable[[], Awaitable[bool]]]:
    """A restic whose checks take a minute, and whether one has begun."""
    program, begun = ground.folder / "slow-restic", ground.folder / "begun"
    waits = f'case " $* " in *" check "*) touch {begun}; exec sleep 60 ;; esac'
    program.write_text(f'#!/bin/sh\n{waits}\nexec {ground.restic} "$@"\n')
    program.chmod(0o755)

    async def has_begun() -> bool:
        return begun.exists()

    return program, has_begun


async def test_a_check_whose_worker_was_killed_begins_anew_and_one_that_is_cancelled_stops(
    fresh_ground: WorkerFixture,
) -> None:
    ground = fresh_ground
    slow, has_begun = waiting_restic(ground)
    with ground.worker("first", restic=slow) as first:
        await ready(first)
        _, store, _ = await backed_up(ground, "checked")
        cancelled = await ground.request(store, None, type_="check")
        await eventually_async(has_begun, 30)
        await ground.cancel(cancelled)
        await ground.ending(cancelled, TaskCancelled)
        (ground.folder / "begun").unlink()
        request = await ground.request(store, None, type_="check")
        await eventually_async(has_begun, 30)
        first.process.kill()
    with ground.worker("second") as second:
        await ready(second)
        ended = await ground.ending(request, TaskSucceeded)

    assert ended.data.attempt == 2
    assert ended.data.result.finding_count == 0
