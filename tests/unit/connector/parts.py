"""What use cases of the worker stand on, in memory."""

import threading
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from chassis.messaging.envelopes import envelope
from chassis.persistence.memory_aggregates import MemoryAggregates
from chassis.persistence.mongo import Unavailable
from connector.domain.attempts import Attempt
from connector.domain.places_in_line import PlaceInLine
from connector.domain.read_shares import ReadShare
from connector.domain.work import TASK, Kind, SlotGroup, Work
from connector.domain.work_order import Queued
from connector.queue.intake import work_of
from connector.queue.lease import Lease, claim
from connector.store.ports import KnownApp, Store
from contracts.envelope import Envelope, Headers
from contracts.messages.assignment import App, AppRef
from contracts.messages.base import Message
from contracts.messages.connector.connection_tests import TestConnection
from contracts.messages.connector.stores import Compression
from contracts.messages.scheduler import TaskRequested
from contracts.tasks import Task
from contracts.values import AppId, JobId, OrganizationId, RunId

from tests.support.builders import a_resource

ORG = OrganizationId("org")
TEST, INITIALIZE, REFRESH, UNLOCK = map(Kind, ("test", "initialize", "refresh", "unlock"))
SOURCE = AppRef(id=AppId("source"), revision=1, kind="source", name="Files")
TARGET = AppRef(id=AppId("store"), revision=1, kind="store", name="Shelf")


class MemoryWorkQueue:
    """`WorkQueue` in memory."""

    def __init__(self) -> None:
        self.open: dict[str, Work] = {}
        self.all: dict[str, Work] = {}
        self.groups: dict[str, SlotGroup] = {}
        self.known: set[str] = set()
        self.cancelled: set[str] = set()
        self.attempts_forgotten: list[str] = []

    async def add(self, work: Work, *, group: SlotGroup) -> bool:
        if work.id in self.known:
            return False
        self.known.add(work.id)
        self.open[work.id] = self.all[work.id] = work
        self.groups[work.id] = group
        return True

    async def get(self, org: OrganizationId, work_id: str) -> Work | None:
        return self.all.get(work_id)

    async def waiting(self, *, pool: str, group: SlotGroup) -> list[Work]:
        return [w for w in self.open.values() if w.pool == pool and self.groups[w.id] is group]

    async def queued(self, *, pool: str, group: SlotGroup) -> list[Queued]:
        return [
            Queued(id=w.id, organization_id=w.organization_id, at=w.at, priority=w.priority, stores=w.stores)
            for w in await self.waiting(pool=pool, group=group)
        ]

    async def close(self, org: OrganizationId, work_id: str) -> None:
        self.open.pop(work_id, None)

    async def closed_on(self, day: date) -> list[tuple[OrganizationId, str]]:
        return []

    async def forget(self, org: OrganizationId, work_id: str) -> None:
        self.known.discard(work_id)
        self.all.pop(work_id, None)

    async def forget_attempt(self, org: OrganizationId, work_id: str, number: int) -> None:
        self.attempts_forgotten.append(f"{work_id}:{number}")

    async def cancel(self, org: OrganizationId, work_id: str) -> None:
        self.cancelled.add(work_id)

    async def is_cancelled(self, org: OrganizationId, work_id: str) -> bool:
        return work_id in self.cancelled


class MemoryStoreApps:
    """`StoreApps` in memory."""

    def __init__(self) -> None:
        self.stores: list[tuple[OrganizationId, App]] = []

    async def all(self) -> list[tuple[OrganizationId, App]]:
        return self.stores


class MemoryRepositories:
    """`Repositories` in memory."""

    def __init__(self) -> None:
        self.noted: dict[str, str] = {}
        self.seals: dict[str, str | None] = {}
        self.compressions: dict[str, Compression] = {}

    async def of(self, org: OrganizationId, store_id: str) -> str | None:
        return self.noted.get(store_id)

    async def compression_of(self, org: OrganizationId, store_id: str) -> Compression:
        return self.compressions.get(store_id, "auto")

    async def seal_of(self, org: OrganizationId, store_id: str) -> str | None:
        return self.seals.get(store_id)

    async def note(
        self,
        org: OrganizationId,
        store_id: str,
        repository_id: str,
        *,
        seal: str | None = None,
        compression: Compression | None = None,
    ) -> None:
        if seal or self.noted.get(store_id) != repository_id:
            self.seals[store_id] = seal
        self.noted[store_id] = repository_id
        if compression:
            self.compressions[store_id] = compression


@dataclass
class MemoryPublisher:
    """Keeps what it is sent; refuses the next `failures` messages."""

    sent: list[Envelope[Message]] = field(default_factory=list)
    failures: int = 0

    async def send(self, message: Envelope[Message]) -> None:
        if self.failures:
            self.failures -= 1
            raise Unavailable("kafka_unavailable", "gone")
        self.sent.append(message)

    async def send_raw(self, topic: str, *, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        raise NotImplementedError


def memory_store() -> Store:
    attempts = MemoryAggregates(Attempt, keys=lambda a: {"work": a.work_id})
    return Store(
        apps=MemoryAggregates(KnownApp),
        attempts=attempts,
        work=MemoryWorkQueue(),
        stores=MemoryStoreApps(),
        repositories=MemoryRepositories(),
        lines=MemoryAggregates(PlaceInLine, keys=lambda t: {"place": t.place}),
        read_shares=MemoryAggregates(ReadShare),
    )


def published(store: Store) -> list[Envelope[Message]]:
    assert isinstance(store.attempts, MemoryAggregates)
    return store.attempts.published


def an_app(app_id: str = "store", revision: int = 1, **changes: Any) -> App:
    facts: dict[str, Any] = {
        "id": app_id,
        "kind": "store",
        "name": app_id,
        "integration": {"id": "fs", "name": "fs", "version": "1"},
        "protocol": "fs",
        "resource": a_resource(),
        "fields": {},
        "endpoints": (),
        "data_classes": (),
        "environment": "",
        "temperature": "hot",
        "revision": revision,
    }
    return App.model_validate(facts | changes)


BACKUP = Task(type="backup", origin=SOURCE, target=TARGET)


def task_request(job_id: str = "job", *, task: Task = BACKUP) -> Envelope[Message]:
    return envelope(
        TaskRequested(organization_id=ORG, job_id=JobId(job_id), run_id=RunId("run"), task=task), service="scheduler"
    )


def test_command(**changes: Any) -> Envelope[Message]:
    command = TestConnection(organization_id=ORG, app_id=SOURCE.id, app=SOURCE)
    return envelope(command.model_copy(update=changes), service="gateway")


test_command.__test__ = False  # type: ignore[attr-defined]


async def some_work(store: Store, kind: Kind = TASK, *, task: Task = BACKUP) -> Work:
    cause = task_request(task=task) if kind == TASK else test_command()
    work = work_of(cause, kind=kind, work_id="job" if kind == TASK else cause.id, pool="default")
    await store.work.add(work, group=SlotGroup.TASKS if kind == TASK else SlotGroup.COMMANDS)
    return work


async def held(store: Store, work: Work, *, owner: str = "first", seconds: float = 30) -> Lease:
    lease = await claim(store, work, owner=owner, seconds=seconds)
    assert lease is not None
    return lease


def repository_threads() -> set[threading.Thread]:
    """The threads in which repositories read ahead."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("repository")}
