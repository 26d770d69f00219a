"""A store of one organization that never answers holds back nobody else's work."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest_asyncio
from chassis.ids import new_id
from connector.app import open_app
from contracts.assignment import App, AppAssigned, AppKind, FieldValue
from contracts.connector import RefreshStore, TaskStarted, TaskSucceeded, TestConnection
from contracts.messages import Message
from contracts.scheduler import Task, TaskRequested
from contracts.values import AppId, JobId, OrganizationId, RunId

from tests.integration.connector.ground import Ground, connection_test, initialize, ref, write_tree
from tests.support import builders as make
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


@pytest_asyncio.fixture(loop_scope="session")
async def silent(ground: Ground, tmp_path: Path, rclone: Path) -> AsyncIterator[S3Server]:
    """A worker, and a real S3 server that stands still."""
    with rclone_s3(rclone, tmp_path / "s3") as server:
        async with open_app(ground.settings(rclone=str(rclone))):
            with frozen(server):
                yield server


async def assign(ground: Ground, kind: AppKind, protocol: str, fields: dict[str, str], **changes: object) -> App:
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


async def test_others_are_tested_backed_up_and_compared_meanwhile(ground: Ground, silent: S3Server) -> None:
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
        await ground.ending(await ground.request(mine, kept), TaskSucceeded)
        about = {"organization_id": make.ORG, "app_id": kept.id, "app": ref(kept)}
        assert (await ground.asker.ask(RefreshStore(**about))).accepted
