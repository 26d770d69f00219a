"""Checks of stores and of restore points, by a worker on real servers."""

from pathlib import Path

import pytest
from contracts.messages.connector import TaskFailed, TaskSucceeded

from tests.integration.connector.backed_up import backed_up, spoil
from tests.integration.connector.ground import Ground

pytestmark = pytest.mark.usefixtures("app")


async def test_a_check_of_a_sound_store_finds_nothing_and_a_damaged_one_is_told(ground: Ground, tmp_path: Path) -> None:
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
