"""A job from its request to a restore point that can be browsed and read."""

import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from connector.app import open_app
from contracts.field_values import FieldValue
from contracts.messages.assignment import App
from contracts.messages.connector.stores import RestorePointCreated
from contracts.messages.connector.task_events import (
    TaskFailed,
    TaskLogged,
    TaskMeasured,
    TaskProgressed,
    TaskStarted,
    TaskSucceeded,
)
from contracts.messages.restore_index import DirectoriesListed, RestorePointListed
from fastapi import FastAPI

from tests.integration.connector.worker_fixture import WorkerFixture, initialize, write_tree
from tests.integration.engine.programs import telling

pytestmark = pytest.mark.usefixtures("app")
TREE = {"readme.txt": b"hello", "deep/er/data.bin": bytes(range(256)) * 8000, "deep/empty": b""}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def app(ground: WorkerFixture) -> AsyncIterator[FastAPI]:
    """A worker whose restic notes how it was called."""
    program = telling(ground.restic, ground.folder / "restic", ground.folder / "notes")
    async with open_app(ground.settings(restic=program)) as running:
        yield running


@pytest.fixture
async def source(ground: WorkerFixture, tmp_path: Path) -> App:
    return await ground.assign("source", write_tree(ground.files("sources", tmp_path.name), TREE))


@pytest.fixture
async def store(ground: WorkerFixture, tmp_path: Path) -> App:
    return await ground.store_made_by_hand(tmp_path.name)


def listed(ground: WorkerFixture, store: App) -> list[Any]:
    return [
        page
        for e in ground.asker.heard(DirectoriesListed)
        if e.data.store_id == store.id
        for page in e.data.directories
    ]


async def test_a_backup_ends_with_a_restore_point_that_can_be_browsed_and_read(
    ground: WorkerFixture, http: httpx.AsyncClient, source: App, store: App
) -> None:
    request = await ground.request(source, store, labels=("nightly",))
    ended = await ground.ending(request, TaskSucceeded)

    created = await ground.asker.ear.message(RestorePointCreated, lambda data: data.store_id == store.id)
    point = created.data.restore_point
    assert ended.data.backup.snapshot_id == point.snapshot_id
    assert ended.data.backup.files_processed == len(TREE)
    assert (point.source_id, point.job_id, point.tags) == (source.id, request.job_id, ("nightly",))
    assert (point.environment, point.data_classes) == ("production", ("pii",))
    assert (point.files, point.paths) == (len(TREE), (source.fields["root"].value,))
    assert len(ground.published(request, TaskStarted)) == 1
    assert ground.published(request, TaskLogged)

    async with ground.index as index:
        found = (await index.get(f"/internal/restore-points/{point.snapshot_id}")).json()
        assert found["browsable"]
        files = (await index.get(f"/internal/restore-points/{point.snapshot_id}/files?path=/deep")).json()
        assert [item["name"] for item in files["items"]] == ["empty", "er"]
    where = f"/internal/stores/{store.id}/snapshots/{point.snapshot_id}/content"
    for path, content in TREE.items():
        answer = await http.get(where, params={"path": f"/{path}"})
        assert (answer.status_code, answer.content) == (200, content)


async def test_what_a_backup_used_its_phases_and_its_failures_are_told(
    ground: WorkerFixture, store: App, tmp_path: Path
) -> None:
    root = write_tree(ground.files("sources", tmp_path.name), {"big": os.urandom(64 << 20), "fine": b"fine"})
    (root / "lost").symlink_to(root)
    source = await ground.assign("source", root)

    request = await ground.request(source, store)
    await ground.ending(request, TaskSucceeded)

    told = ground.published(request, TaskMeasured)
    assert [each.sequence for each in told] == list(range(1, len(told) + 1))
    assert [each.name for e in told for each in e.phases] == ["preparing", "transferring", "indexing"]
    samples = [sample for each in told for sample in each.samples]
    assert [sample.at for sample in samples] == sorted(sample.at for sample in samples)
    assert max(sample.peak.memory_bytes or 0 for sample in samples) > 1 << 20
    # What restic read of the source and wrote into the store, whose data cannot be compressed.
    totals = told[-1].totals
    assert totals.cpu_seconds
    assert min(totals.read_bytes or 0, totals.written_bytes or 0) >= 64 << 20


async def test_the_second_backup_lists_only_what_changed(ground: WorkerFixture, source: App, store: App) -> None:
    root = Path(source.fields["root"].value or "")
    await ground.ending(await ground.request(source, store), TaskSucceeded)
    before = len(listed(ground, store))
    (root / "deep" / "new").write_bytes(b"new")

    second = await ground.request(source, store)
    await ground.ending(second, TaskSucceeded)

    assert before == 3
    assert len(listed(ground, store)) == before + 2
    assert len([e for e in ground.asker.heard(RestorePointListed) if e.data.store_id == store.id]) == 2


async def test_spaces_at_the_ends_of_the_root_and_of_labels_are_kept(
    ground: WorkerFixture, store: App, tmp_path: Path
) -> None:
    source = await ground.assign("source", write_tree(ground.files("sources", f"{tmp_path.name} "), TREE))

    await ground.ending(await ground.request(source, store, labels=("nightly ", "b")), TaskSucceeded)

    created = await ground.asker.ear.message(RestorePointCreated, lambda data: data.store_id == store.id)
    point = created.data.restore_point
    root = source.fields["root"].value or ""
    assert root.endswith(" ")
    assert (point.paths, point.tags) == ((root,), ("nightly ", "b"))
    async with ground.index as index:
        where = f"/internal/restore-points/{point.snapshot_id}/files"
        files = (await index.get(where, params={"path": f"{root}/deep"})).json()
    assert [item["name"] for item in files["items"]] == ["empty", "er"]


async def test_everything_said_about_a_job_follows_from_its_request(
    ground: WorkerFixture, source: App, store: App
) -> None:
    request = await ground.request(source, store)
    ended = await ground.ending(request, TaskSucceeded)

    started = await ground.ending(request, TaskStarted)

    assert started.correlation_id == ended.correlation_id
    assert started.causation_id == ended.causation_id
    assert all(p.fraction <= 1 for p in ground.published(request, TaskProgressed))


async def test_an_emptied_source_is_told_or_kept_as_an_empty_restore_point(
    ground: WorkerFixture, store: App, tmp_path: Path
) -> None:
    root = ground.files("sources", tmp_path.name)
    source = await ground.assign("source", root)
    empty = await ground.ending(await ground.request(source, store), TaskFailed)
    (root / "file").touch()
    ignored = await ground.ending(await ground.request(source, store, ignores=("file",)), TaskFailed)
    (root / "file").unlink()

    kept = await ground.ending(await ground.request(source, store, allow_empty=True), TaskSucceeded)

    assert (empty.data.problem.code, ignored.data.problem.code) == ("source_empty", "source_ignored")
    async with ground.index as index:
        where = f"/internal/restore-points/{kept.data.backup.snapshot_id}/files"
        assert (await index.get(where, params={"path": "/"})).json()["items"] == []


async def test_what_no_restore_point_can_hold_makes_a_backup_incomplete_unless_it_is_ignored(
    ground: WorkerFixture, store: App, tmp_path: Path
) -> None:
    root = write_tree(ground.files("sources", tmp_path.name), TREE)
    os.mknod(root / "deep" / "agent.sock", stat.S_IFSOCK | 0o600)
    source = await ground.assign("source", root)

    failed = await ground.ending(await ground.request(source, store), TaskFailed)
    await ground.ending(await ground.request(source, store, ignores=("*.sock",)), TaskSucceeded)

    assert failed.data.problem.code == "backup_incomplete"
    assert "/deep/agent.sock (a socket, which no restore point can hold)" in failed.data.problem.detail


async def test_a_backup_is_compressed_at_the_level_that_was_asked_for_last(
    ground: WorkerFixture, source: App, tmp_path: Path
) -> None:
    store = await ground.assign("store", ground.files("stores", "levels", tmp_path.name))

    async def arguments(compression: str | None) -> list[str]:
        await ground.asker.ask(initialize(store).model_copy(update={"compression": compression}))
        noted = set((ground.folder / "notes").iterdir())
        await ground.ending(await ground.request(source, store), TaskSucceeded)
        new = set((ground.folder / "notes").iterdir()) - noted
        [call] = [call for call in map(_arguments, new) if "backup" in call]
        return call

    for asked in ("fastest", None):
        call = await arguments(asked)
        assert call[call.index("--compression") + 1] == "fastest"
    assert "--compression" not in await arguments("auto")


def _arguments(note: Path) -> list[str]:
    return note.read_bytes().partition(b"\n")[0].decode().split("\0")


class TestFailures:
    async def test_a_store_without_a_repository(self, ground: WorkerFixture, source: App, tmp_path: Path) -> None:
        store = await ground.assign("store", tmp_path.parent / "nowhere" / tmp_path.name)
        outside = await ground.ending(await ground.request(source, store), TaskFailed)
        store = await ground.assign("store", ground.files("bare", tmp_path.name))
        bare = await ground.ending(await ground.request(source, store), TaskFailed)

        assert outside.data.problem.code == "root_forbidden"
        assert bare.data.problem.code == "store_not_initialized"

    async def test_a_wrong_passphrase(self, ground: WorkerFixture, source: App, store: App) -> None:
        wrong = await ground.assign(
            "store",
            Path(store.fields["root"].value or ""),
            id=store.id,
            fields={"passphrase": ground.sealed(store.id, "wrong")},
        )

        failed = await ground.ending(await ground.request(source, wrong), TaskFailed)

        assert failed.data.problem.code == "passphrase_wrong"

    async def test_a_reference_into_a_secret_provider(self, ground: WorkerFixture, source: App, tmp_path: Path) -> None:
        store = await ground.assign(
            "store", ground.files("vaulted"), fields={"passphrase": FieldValue(value="kv/p", provider_id="vault")}
        )

        failed = await ground.ending(await ground.request(source, store), TaskFailed)

        assert failed.data.problem.code == "provider_unsupported"

    async def test_a_secret_sealed_for_another_app(self, ground: WorkerFixture, source: App, store: App) -> None:
        thief = await ground.assign("store", ground.files("thief"), fields={"passphrase": store.fields["passphrase"]})

        failed = await ground.ending(await ground.request(source, thief), TaskFailed)

        assert failed.data.problem.code == "secret_unreadable"

    async def test_a_source_that_is_gone(self, ground: WorkerFixture, store: App, tmp_path: Path) -> None:
        source = await ground.assign("source", ground.folder / "sources" / "gone")

        failed = await ground.ending(await ground.request(source, store), TaskFailed)

        assert failed.data.problem.code == "source_missing"

    async def test_an_app_nobody_heard_of(self, ground: WorkerFixture, source: App, store: App) -> None:
        unheard = source.model_copy(update={"revision": 99})

        failed = await ground.ending(await ground.request(unheard, store), TaskFailed)

        assert failed.data.problem.code == "app_unknown"

    async def test_labels_that_pass_for_marks(self, ground: WorkerFixture, source: App, store: App) -> None:
        failed = await ground.ending(await ground.request(source, store, labels=("cairn:job=x",)), TaskFailed)

        assert failed.data.problem.code == "label_invalid"
