"""A store of one organization that never answers holds back nobody else's work."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest_asyncio
from chassis.ids import new_id
from connector.app import open_app
from connector.stores.open_stores import READERS_PER_STORE
from contracts.field_values import FieldValue
from contracts.messages.assignment import App, AppAssigned, AppKind
from contracts.messages.base import Message
from contracts.messages.connector.connection_tests import TestConnection
from contracts.messages.connector.stores import RefreshStore
from contracts.messages.connector.task_events import TaskStarted, TaskSucceeded
from contracts.messages.scheduler import TaskRequested
from contracts.tasks import Task
from contracts.values import AppId, JobId, OrganizationId, RunId
from fastapi import FastAPI

from tests.integration.connector.worker_fixture import WorkerFixture, connection_test, initialize, ref, write_tree
from tests.support import builders as make
from tests.support.door import internal_client
from tests.support.s3 import S3Server, rclone_s3

SILENT = OrganizationId("silent")
AT_ONCE_SECONDS = 20.0
"""What others ask for is done within this time; the silent store is waited for much longer."""


@contextmanager
def frozen(server: S3Server) -> Iterator[None]:
    """Accepts connections, and answers nothing."""
    [pid] = {c.pid for c in psutil.net_connections("tcp") if c.laddr.port == server.port and c.status == "LISTEN"}
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@dataclass(frozen=True)
class Silence:
    """A worker, and a real S3 server that stands still."""

    worker: FastAPI
    server: S3Server


@pytest_asyncio.fixture(loop_scope="session")
async def silence(ground: WorkerFixture, tmp_path: Path, rclone: Path) -> AsyncIterator[Silence]:
    """Frozen once the worker runs."""
    with rclone_s3(rclone, tmp_path / "s3") as server:
        async with open_app(ground.settings(rclone=str(rclone))) as worker:
            with frozen(server):
                yield Silence(worker, server)


async def assign(ground: WorkerFixture, kind: AppKind, protocol: str, fields: dict[str, str], **changes: object) -> App:
    """An app of the organization whose stores are silent."""
    app = App.model_validate(
        {
            "id": AppId(new_id()),
            "kind": kind,
            "name": f"{protocol} {kind}",
            "integration": {"id": protocol, "name": protocol, "version": "1"},
            "protocol": protocol,
            "resource": make.a_resource(),
            "fields": {name: FieldValue(value=value) for name, value in fields.items()},
            "endpoints": (),
            "data_classes": (),
            "environment": "",
            "temperature": "hot",
            "revision": 1,
        }
        | changes
    )
    await ground.asker.wire.publish(AppAssigned(organization_id=SILENT, app_id=app.id, app=app))
    return app


def work(source: App, store: App) -> list[Message]:
    """More than a worker has slots for, of every kind."""
    about = {"organization_id": SILENT, "app_id": store.id, "app": ref(store)}
    task = Task(type="backup", origin=ref(source), target=ref(store))
    backups = [
        TaskRequested(organization_id=SILENT, job_id=JobId(new_id()), run_id=RunId(new_id()), task=task)
        for _ in range(4)
    ]
    return [*backups, *(TestConnection(**about) for _ in range(8)), *(RefreshStore(**about) for _ in range(8))]


@asynccontextmanager
async def waiting_downloads(ground: WorkerFixture, worker: FastAPI, store: App) -> AsyncIterator[None]:
    """More downloads from a silent store than one store has threads, all of which wait until the context is left."""
    url = f"/internal/stores/{store.id}/snapshots/{'a' * 64}/content?path=/a"
    async with internal_client(ground.corner.settings(), worker, org=SILENT) as http:
        waiting = [asyncio.create_task(http.get(url, timeout=None)) for _ in range(2 * READERS_PER_STORE)]
        try:
            await asyncio.sleep(0)
            yield
            assert not any(task.done() for task in waiting)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)


async def test_others_are_served_meanwhile(ground: WorkerFixture, silence: Silence) -> None:
    silent = silence.server
    tree = write_tree(ground.files("mute"), {"a": b"a"})
    source = await assign(ground, "source", "fs", {"root": str(tree)})
    fields = silent.fields() | {"passphrase": "mute"}
    store = await assign(ground, "store", "s3", fields, endpoints=(silent.endpoint,))
    for message in work(source, store):
        await ground.asker.wire.publish(message)
    await ground.asker.ear.message(TaskStarted, lambda data: data.organization_id == SILENT)

    async with asyncio.timeout(3 * AT_ONCE_SECONDS):
        mine = await ground.assign("source", write_tree(ground.files("mine"), {"b": b"b"}))
        kept = await ground.assign("store", ground.files("kept"))
        async with asyncio.timeout(AT_ONCE_SECONDS):
            assert (await ground.asker.ask(connection_test(kept))).result["ok"] is True
        assert (await ground.asker.ask(initialize(kept))).accepted
        ended = await ground.ending(await ground.request(mine, kept), TaskSucceeded)
        async with waiting_downloads(ground, silence.worker, store), asyncio.timeout(AT_ONCE_SECONDS):
            await read(ground, silence.worker, kept, ended.data.backup.snapshot_id)
        about = {"organization_id": make.ORG, "app_id": kept.id, "app": ref(kept)}
        assert (await ground.asker.ask(RefreshStore(**about))).accepted


async def read(ground: WorkerFixture, worker: FastAPI, store: App, snapshot_id: str) -> None:
    """Browse a restore point, and take a file and an archive out of it."""
    async with ground.index as index:
        listed = (await index.get(f"/internal/restore-points/{snapshot_id}/files")).json()["items"]
    assert [each["name"] for each in listed] == ["b"]
    where = f"/internal/stores/{store.id}/snapshots/{snapshot_id}"
    async with ground.http(app=worker) as http:
        assert (await http.get(f"{where}/content?path=/b")).content == b"b"
        answer = await http.post(f"{where}/archive", json={"paths": ["/b"], "format": "zip"})
        assert answer.status_code == 200, answer.text
