"""A connector among its neighbours: real Kafka, MongoDB, restic and restore index; apps it is told of by events."""

import os
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from chassis.ids import new_id
from chassis.runtime.settings import read_key
from chassis.security.sealing import Place, Sealer
from connector.settings import Settings
from contracts import topics
from contracts.envelope import Envelope
from contracts.field_values import FieldValue
from contracts.messages.assignment import App, AppAssigned, AppKind, AppReconfigured, AppRef
from contracts.messages.connector.connection_tests import TestConnection
from contracts.messages.connector.stores import InitializeStore
from contracts.messages.connector.task_events import TaskCancelled, TaskEvent, TaskFailed, TaskSucceeded
from contracts.messages.scheduler import TaskCancelRequested, TaskRequested
from contracts.task_types.base import TaskType
from contracts.tasks import Task, TaskOptions
from contracts.values import AppId, JobId, RunId

from tests.support import builders as make
from tests.support.door import Asker, internal_client, open_asker
from tests.support.environment import Corner, write_key_file
from tests.support.kafka import open_wire
from tests.support.processes import Running, running_module
from tests.support.waiting import eventually_async

PASSPHRASE = "canary passphrase"
LEASE_SECONDS = 5


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@dataclass
class WorkerFixture:
    """What a test of the connector starts its workers with, and asks them by."""

    corner: Corner
    folder: Path
    restic: Path
    asker: Asker
    index_port: int
    index_process: Running
    master_key: Path
    _apps: dict[str, App] = field(default_factory=dict)

    def facts(self, **overrides: Any) -> dict[str, Any]:
        """Settings of a worker."""
        return {
            "master_key_file": self.master_key,
            "allowed_roots": str(self.folder),
            "state_dir": self.folder / "state",
            "work_dir": self.folder / "work",
            "restic": str(self.restic),
            "url_restore_index": f"http://127.0.0.1:{self.index_port}",
            "lease_seconds": LEASE_SECONDS,
            "poll_seconds": 0.2,
            "app_patience_seconds": 3,
            "session_timeout_seconds": 6,
        } | overrides

    def settings(self, **overrides: Any) -> Settings:
        return self.corner.settings(Settings, **self.facts(**overrides))

    def http(self, url: str | None = None, app: Any = None) -> httpx.AsyncClient:
        return internal_client(self.corner.settings(), app, url=url or "http://connector")

    @property
    def index(self) -> httpx.AsyncClient:
        return self.http(f"http://127.0.0.1:{self.index_port}")

    def files(self, *parts: str) -> Path:
        path = self.folder.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        return path

    async def assign(self, kind: AppKind, root: Path, **changes: Any) -> App:
        """Make an app of the fs protocol known; returns it."""
        app_id = AppId(changes.pop("id", None) or new_id())
        fields = {"root": FieldValue(value=str(root)), "passphrase": self.sealed(app_id)} | changes.pop("fields", {})
        facts: dict[str, Any] = {
            "id": app_id,
            "kind": kind,
            "name": f"{kind} {root.name}",
            "integration": {"id": "fs", "name": "fs", "version": "1"},
            "protocol": "fs",
            "resource": make.a_resource(),
            "fields": {name: value for name, value in fields.items() if value is not None},
            "endpoints": (),
            "data_classes": ("pii",) if kind == "source" else (),
            "environment": "production" if kind == "source" else "",
            "temperature": "hot",
            "revision": self._apps[app_id].revision + 1 if app_id in self._apps else 1,
        }
        app = App.model_validate(facts | changes)
        event = AppReconfigured if app_id in self._apps else AppAssigned
        self._apps[app_id] = app
        await self.asker.wire.publish(event(organization_id=make.ORG, app_id=app_id, app=app))
        return app

    def sealed(self, app_id: AppId, text: str = PASSPHRASE) -> FieldValue:
        sealer = Sealer(read_key(self.master_key))
        place = Place(organization_id=make.ORG, owner=app_id, field="passphrase")
        return FieldValue(sealed=sealer.seal(text, data_key=sealer.new_data_key(make.ORG), place=place))

    async def store_made_by_hand(self, name: str = "store") -> App:
        """A store with a repository that somebody made by hand."""
        root = self.files("stores") / name
        environment = {**os.environ, "RESTIC_PASSWORD": PASSPHRASE}
        subprocess.run([str(self.restic), "-q", "-r", str(root), "init"], env=environment, check=True)
        return await self.assign("store", root)

    async def request(
        self, source: App, store: App | None, *, job_id: str | None = None, type_: TaskType = "backup", **options: Any
    ) -> TaskRequested:
        task = Task(
            type=type_, origin=ref(source), target=ref(store) if store else None, options=TaskOptions(**options)
        )
        request = TaskRequested(
            organization_id=make.ORG, job_id=JobId(job_id or new_id()), run_id=RunId(new_id()), task=task
        )
        await self.asker.wire.publish(request)
        return request

    async def cancel(self, request: TaskRequested) -> None:
        await self.asker.wire.publish(TaskCancelRequested(organization_id=make.ORG, job_id=request.job_id))

    async def ending(
        self, request: TaskRequested, wanted: type[TaskEvent], *, deadline_seconds: float = 60
    ) -> Envelope[Any]:
        """The event of a job; fails at once when the job ended otherwise."""

        def done(_: object) -> bool:
            return any(self.published(request, kind) for kind in (wanted, TaskSucceeded, TaskFailed, TaskCancelled))

        await self.asker.ear.until(done, deadline_seconds)
        assert self.published(request, wanted), self.published(request, TaskFailed)
        return next(e for e in self.asker.heard(wanted) if e.data.job_id == request.job_id)

    def published(self, request: TaskRequested, wanted: type[TaskEvent]) -> list[Any]:
        return [e.data for e in self.asker.heard(wanted) if e.data.job_id == request.job_id]

    @contextmanager
    def worker(self, name: str, **overrides: Any) -> Iterator[Running]:
        """A worker in a process of its own; wait for `ready` before relying on it."""
        facts = self.facts(instance=f"{self.corner.name}-{name}", http_port=free_port(), **overrides)
        log = self.folder / f"{name}.log"
        with running_module("connector", "serve", environment=self.corner.variables(**facts), log=log) as running:
            running.url = f"http://127.0.0.1:{facts['http_port']}"  # type: ignore[attr-defined]
            yield running


def ref(app: App) -> AppRef:
    return AppRef(id=app.id, revision=app.revision, kind=app.kind, name=app.name)


def connection_test(app: App) -> TestConnection:
    return TestConnection(organization_id=make.ORG, app_id=app.id, app=ref(app))


def initialize(app: App) -> InitializeStore:
    return InitializeStore(organization_id=make.ORG, app_id=app.id, app=ref(app))


async def ready(running: Running) -> None:
    """Wait until a process answers that it is ready."""
    url = running.url  # type: ignore[attr-defined]

    async def answers() -> bool:
        assert running.process.poll() is None, running.output()[-2000:]
        try:
            async with httpx.AsyncClient(trust_env=False) as client:
                return (await client.get(f"{url}/health/ready")).status_code == 200
        except httpx.TransportError:
            return False

    await eventually_async(answers, 30)


@asynccontextmanager
async def open_ground(corner: Corner, folder: Path, restic: Path) -> AsyncIterator[WorkerFixture]:
    """A ground with a running restore index, heard on every topic that a worker sends to."""
    port = free_port()
    heard = (topics.CONNECTOR_EVENTS, topics.LISTINGS, topics.RESTORE_INDEX_EVENTS)
    with ExitStack() as stack:
        index = stack.enter_context(running_index(corner, folder, port))
        async with open_wire(corner.settings()) as wire:
            await wire.ensure(topics.ASSIGNMENT_EVENTS, topics.CONNECTOR_COMMANDS, topics.tasks())
            async with open_asker(wire, *heard) as asker:
                await ready(index)
                key = write_key_file(folder / "master.key")
                yield WorkerFixture(corner, folder, restic, asker, port, index, key)


@contextmanager
def running_index(corner: Corner, folder: Path, port: int) -> Iterator[Running]:
    """A restore index in a process of its own; wait for `ready` before relying on it."""
    variables = corner.variables(http_port=port, session_timeout_seconds=6)
    with running_module("restore_index", "serve", environment=variables, log=folder / "index.log") as running:
        running.url = f"http://127.0.0.1:{port}"  # type: ignore[attr-defined]
        yield running


def write_tree(root: Path, contents: dict[str, bytes]) -> Path:
    """Files below a directory, by their paths."""
    for path, content in contents.items():
        place = Path(os.fsdecode(os.fsencode(root) + b"/" + os.fsencode(path)))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return root
