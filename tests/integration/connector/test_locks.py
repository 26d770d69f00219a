"""A store that another restic holds for itself."""

from pathlib import Path
from typing import Any

import pytest
from contracts.messages.assignment import App
from contracts.messages.connector.stores import UnlockStore
from contracts.messages.connector.task_events import TaskLogged, TaskProgressed, TaskSucceeded
from fastapi import FastAPI

from tests.integration.connector.worker_fixture import PASSPHRASE, WorkerFixture, ref, write_tree
from tests.support import builders as make
from tests.support.store_locks import leave_lock


def unlock(store: App) -> UnlockStore:
    return UnlockStore(organization_id=make.ORG, app_id=store.id, app=ref(store))


@pytest.mark.usefixtures("app")
async def test_a_lock_of_another_host_is_told_at_once_and_removed_once_it_is_stale(
    ground: WorkerFixture, app: FastAPI, tmp_path: Path
) -> None:
    store = await ground.store_made_by_hand(tmp_path.name)
    source = await ground.assign("source", write_tree(ground.files("waiting"), {"a": b"a"}))
    root = Path(store.fields["root"].value or "")
    fresh = leave_lock(root, PASSPHRASE, host="elsewhere")

    request = await ground.request(source, store)

    def waits(_: object) -> bool:
        return any(each.phase == "waiting" for each in ground.published(request, TaskProgressed))

    await ground.asker.ear.until(waits, 30)
    refused = await ground.asker.rejection(unlock(store))
    assert refused.code == "lock_not_stale"
    assert "process 4711 of me on the host elsewhere since" in refused.detail
    async with ground.http(app=app) as http:
        [told] = (await http.get(f"/internal/stores/{store.id}/locks")).json()["items"]
    assert (told["host"], told["process"], told["exclusive"], told["stale"]) == ("elsewhere", 4711, True, False)
    fresh.unlink()
    leave_lock(root, PASSPHRASE, host="elsewhere", minutes_old=31)
    result: Any = (await ground.asker.ask(unlock(store))).result
    assert [lock["stale"] for lock in result["removed"]] == [True]
    await ground.ending(request, TaskSucceeded)
    lines = [line.text for each in ground.published(request, TaskLogged) for line in each.lines]
    assert any("waiting for process 4711 of me on the host elsewhere since" in line for line in lines)
