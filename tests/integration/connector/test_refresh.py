"""The restore index follows a store that changes behind Cairn's back."""

import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from connector.app import open_app
from contracts.messages.assignment import App
from contracts.messages.connector.stores import RefreshStore, RestorePointCreated
from contracts.messages.connector.task_events import TaskSucceeded
from fastapi import FastAPI
from restic_reader import LocalFiles, Repository

from tests.integration.connector.comparing import indexed, refresh, refusals
from tests.integration.connector.worker_fixture import (
    PASSPHRASE,
    WorkerFixture,
    connection_test,
    initialize,
    ref,
    write_tree,
)
from tests.support import builders as make
from tests.support.waiting import eventually_async


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def app(ground: WorkerFixture) -> AsyncIterator[FastAPI]:
    """A worker that compares stores only when it is asked to, or has reason to."""
    settings = ground.settings(refresh_seconds=0, browsable_patience_seconds=1.0)
    async with open_app(settings, suspicion_seconds=1.0) as running:
        yield running


@pytest.fixture
async def store(ground: WorkerFixture, app: FastAPI, tmp_path: Path) -> App:
    return await ground.store_made_by_hand(tmp_path.name)


def restic(ground: WorkerFixture, store: App, *arguments: str, cwd: Path | None = None) -> str:
    environment = {**os.environ, "RESTIC_PASSWORD": PASSPHRASE}
    command = [str(ground.restic), "-q", "-r", store.fields["root"].value or "", "--no-cache", *arguments]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, cwd=cwd)
    return done.stdout


def snapshot_ids(ground: WorkerFixture, store: App) -> list[str]:
    return [each["id"] for each in json.loads(restic(ground, store, "snapshots", "--json"))]


async def files(ground: WorkerFixture, snapshot_id: str, path: str = "/") -> list[str]:
    async with ground.index as index:
        answer = await index.get(f"/internal/restore-points/{snapshot_id}/files", params={"path": path})
    return [item["name"] for item in answer.json()["items"]]


async def refusal(ground: WorkerFixture, snapshot_id: str) -> tuple[str, str]:
    async with ground.index as index:
        answer = await index.get(f"/internal/restore-points/{snapshot_id}/files")
    assert answer.status_code == 409
    return answer.json()["code"], answer.json()["detail"]


def tree_pack(ground: WorkerFixture, store: App, snapshot_id: str) -> Path:
    """The file of the pack with the root of a snapshot."""
    root = json.loads(restic(ground, store, "cat", "snapshot", snapshot_id))["tree"]
    with Repository.open(LocalFiles(Path(store.fields["root"].value or "")), PASSPHRASE) as repository:
        name = repository.locate(root).pack
    return Path(store.fields["root"].value or "") / "data" / name[:2] / name


async def test_a_restore_point_whose_tree_is_lost_is_damaged_until_it_comes_back(
    ground: WorkerFixture, store: App
) -> None:
    root = ground.files("tree lost", store.name)
    for number in range(2):
        write_tree(root, {"f": b"%d" % number})
        restic(ground, store, "backup", ".", cwd=root)
    whole, hurt = snapshot_ids(ground, store)
    pack = tree_pack(ground, store, hurt)
    pack.rename(pack.with_suffix(".lost"))

    _, told = await refresh(ground, store)

    assert (told.added, told.listed, told.unlisted, told.damaged) == (2, 1, 1, 1)
    await eventually_async(lambda: _is(indexed(ground, store), {whole: True, hurt: False}))
    reason = f"This restore point is damaged. The pack {pack.stem} is damaged: the file is missing."
    assert await refusal(ground, hurt) == ("restore_point_damaged", reason)
    outcome, told = await refresh(ground, store)
    assert (outcome.result or {})["damaged"] == told.damaged == 1

    pack.with_suffix(".lost").rename(pack)
    _, told = await refresh(ground, store)

    assert (told.unlisted, told.damaged) == (0, 0)
    assert await files(ground, hurt) == ["f"]
    assert (await ground.asker.ask(connection_test(store))).result["warnings"] == []
    pack.rename(pack.with_suffix(".lost"))
    _, told = await refresh(ground, store, look_for_loss=True)
    assert (told.listed, told.damaged) == (0, 1)
    await eventually_async(lambda: _is(indexed(ground, store), {whole: True, hurt: False}))
    report = (await ground.asker.ask(connection_test(store))).result
    assert report["ok"] is True
    [warning] = report["warnings"]
    assert (warning["code"], warning["snapshot_ids"], warning["total"]) == ("restore_points_damaged", [hurt], 1)
    assert f"The pack {pack.stem} is damaged: the file is missing." in warning["detail"]

    pack.with_suffix(".lost").rename(pack)
    outcome, told = await refresh(ground, store)
    assert ((outcome.result or {})["warnings"], told.damaged) == ([warning], 0)
    pack.rename(pack.with_suffix(".lost"))
    _, told = await refresh(ground, store, rebuild=True)
    assert (told.listed, told.damaged) == (1, 1)
    await eventually_async(lambda: _is(indexed(ground, store), {whole: True, hurt: False}))
    _, told = await refresh(ground, store)  # which the index need not read, as it knows all of it
    assert told.damaged == 1


async def test_a_download_that_meets_damage_has_its_restore_point_marked(
    ground: WorkerFixture, store: App, app: FastAPI
) -> None:
    root = write_tree(ground.files("spoilt", store.name), {"d/f": b"content"})
    restic(ground, store, "backup", ".", cwd=root)
    [hurt] = snapshot_ids(ground, store)
    await refresh(ground, store)
    pack = tree_pack(ground, store, hurt)
    pack.chmod(0o600)
    pack.write_bytes(bytes(pack.stat().st_size))

    async with ground.http(app=app) as http:
        answer = await http.get(f"/internal/stores/{store.id}/snapshots/{hurt}/content", params={"path": "/d/f"})
        assert answer.status_code >= 400, answer.text

    await eventually_async(lambda: _is(indexed(ground, store), {hurt: False}), 30)
    code, detail = await refusal(ground, hurt)
    assert (code, pack.name in detail) == ("restore_point_damaged", True)


async def test_a_store_full_of_snapshots_made_elsewhere_is_taken_in(ground: WorkerFixture, store: App) -> None:
    root = ground.files("made elsewhere", store.name)
    for number in range(4):
        write_tree(root, {f"d{number}/f": b"%d" % number, "same/f": b"same"})
        tags = ["--tag", f"t{number % 3}", "--tag", "all"] if number % 2 else []
        restic(ground, store, "backup", "--host", f"host{number % 4}", *tags, ".", f"d{number}", cwd=root)
    ids = snapshot_ids(ground, store)
    snapshots = Path(store.fields["root"].value or "") / "snapshots"
    damaged, unreadable = ids[1], ids[2]
    kept = (snapshots / damaged).read_bytes()
    (snapshots / damaged).chmod(0o600)
    (snapshots / damaged).write_bytes(kept[:-1])
    (snapshots / unreadable).rename(snapshots / ("0" * 64))

    outcome, told = await refresh(ground, store)

    assert outcome.result == {"added": 4, "removed": 0, "listed": 4, "damaged": 0, "warnings": []}
    assert (told.added, told.listed, told.unlisted, told.damaged) == (2, 2, 2, 2)
    hurt = {damaged, "0" * 64}
    assert await indexed(ground, store) == {each: each not in hurt for each in {*ids, *hurt} - {unreadable}}
    for snapshot_id in hurt:
        code, detail = await refusal(ground, snapshot_id)
        assert code == "restore_point_damaged"
        assert f"The snapshot {snapshot_id} is damaged: its content does not match its name." in detail
    assert await files(ground, ids[-1]) == sorted([*(f"d{number}" for number in range(4)), "same"])
    points = [e.data.restore_point for e in ground.asker.heard(RestorePointCreated) if e.data.store_id == store.id]
    assert {(p.hostname, p.tags) for p in points} >= {("host0", ()), ("host3", ("t0", "all"))}

    (snapshots / damaged).write_bytes(kept)
    (snapshots / ("0" * 64)).unlink()
    _, told = await refresh(ground, store)

    assert (told.added, told.removed, told.unlisted, told.damaged) == (0, 1, 0, 0)
    assert (await indexed(ground, store))[damaged]

    outcome, told = await refresh(ground, store, rebuild=True)

    assert outcome.result == {"added": 0, "removed": 0, "listed": 3, "damaged": 0, "warnings": []}
    assert (told.rebuild, told.added, told.listed, told.unlisted) == (True, 0, 3, 0)


async def test_what_was_removed_elsewhere_goes_and_what_is_put_back_comes_back(
    ground: WorkerFixture, store: App
) -> None:
    root = write_tree(ground.files("removed elsewhere", store.name), {"a/b": b"c"})
    for number in range(2):
        restic(ground, store, "backup", "--tag", str(number), ".", cwd=root)
    await refresh(ground, store)
    second, third = await indexed(ground, store)
    place = Path(store.fields["root"].value or "") / "snapshots" / third
    copy = shutil.copy(place, ground.folder / third)
    restic(ground, store, "forget", third)

    _, told = await refresh(ground, store)

    assert told.removed == 1
    await eventually_async(lambda: _is(indexed(ground, store), {second: True}))
    shutil.copy(copy, place)
    _, told = await refresh(ground, store)
    assert (told.added, told.unlisted) == (1, 0)
    assert await indexed(ground, store) == {second: True, third: True}


async def _is(found: Any, wanted: Any) -> bool:
    return bool(await found == wanted)


async def test_a_store_that_is_away_or_another_one_changes_nothing_and_says_so(
    ground: WorkerFixture, store: App
) -> None:
    root = write_tree(ground.files("away", store.name), {"a": b"c"})
    restic(ground, store, "backup", ".", cwd=root)
    await refresh(ground, store)
    known = await indexed(ground, store)
    assert list(known.values()) == [True]
    place = Path(store.fields["root"].value or "")
    place.rename(place.with_suffix(".away"))

    assert await refusals(ground, store) == {"repository_missing"}
    assert not place.exists()
    place.write_bytes(b"a plain file")
    assert await refusals(ground, store) == {"not_a_directory"}
    place.unlink()
    place.mkdir()
    assert await refusals(ground, store) == {"repository_missing"}
    assert list(place.iterdir()) == []
    restic(ground, store, "init")
    assert await refusals(ground, store) == {"repository_changed"}
    assert await indexed(ground, store) == known
    shutil.rmtree(place)
    place.with_suffix(".away").rename(place)
    assert (await refresh(ground, store))[0].result == {
        "added": 0,
        "removed": 0,
        "listed": 0,
        "damaged": 0,
        "warnings": [],
    }
    report = (await ground.asker.ask(connection_test(store))).result
    assert report["ok"], report


async def test_a_store_that_lacks_a_part_is_damaged_and_not_empty(ground: WorkerFixture, store: App) -> None:
    root = write_tree(ground.files("parts", store.name), {"a": b"c"})
    restic(ground, store, "backup", ".", cwd=root)
    await refresh(ground, store)
    known = await indexed(ground, store)
    place = Path(store.fields["root"].value or "")
    for part in ("snapshots", "keys"):
        (place / part).rename(place / "hidden")

        assert await refusals(ground, store) == {"repository_damaged"}
        assert await indexed(ground, store) == known

        (place / "hidden").rename(place / part)


async def test_what_is_away_is_given_up_only_by_force(ground: WorkerFixture, store: App) -> None:
    root = write_tree(ground.files("given up", store.name), {"a": b"c"})
    restic(ground, store, "backup", ".", cwd=root)
    await refresh(ground, store)
    shutil.rmtree(Path(store.fields["root"].value or ""))

    outcome = await ground.asker.ask(initialize(store).model_copy(update={"force": True}))

    assert outcome.result["adopted"] is False
    await eventually_async(lambda: _is(indexed(ground, store), {}), 30)


async def test_a_removal_is_noticed_after_a_backup_and_when_a_file_is_wanted(
    ground: WorkerFixture, app: FastAPI, store: App
) -> None:
    root = ground.files("noticed", store.name)
    source, made = await ground.assign("source", root), []
    for number in range(3):
        write_tree(root, {"a": b"%d" % number * 1000})
        ended = await ground.ending(await ground.request(source, store), TaskSucceeded)
        made.append(ended.data.backup.snapshot_id)
        if number == 1:
            restic(ground, store, "forget", made[0])
    _, second, third = made
    await eventually_async(lambda: _is(indexed(ground, store), {second: True, third: True}), 30)
    restic(ground, store, "forget", "--prune", second)

    async with ground.http(app=app) as http:
        where = f"/internal/stores/{store.id}/snapshots/{second}/content"
        assert (await http.get(where, params={"path": "/a"})).status_code >= 400

    await eventually_async(lambda: _is(indexed(ground, store), {third: True}), 30)


async def test_what_is_no_store_cannot_be_refreshed(
    ground: WorkerFixture, app: FastAPI, http: httpx.AsyncClient
) -> None:
    source = await ground.assign("source", ground.files("good"))
    command = RefreshStore(organization_id=make.ORG, app_id=source.id, app=ref(source))

    assert (await ground.asker.rejection(command)).code == "app_not_found"
