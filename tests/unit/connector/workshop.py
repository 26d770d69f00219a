"""A worker's context in memory: an engine, a reader of what it wrote, a source and a store of one organization."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from chassis.errors import Unavailable
from chassis.messaging.envelopes import envelope
from chassis.persistence.aggregates import Aggregate
from chassis.security.sealing import Sealer
from connector.context.worker_context import WorkerContext
from connector.domain.attempts import Attempt, AttemptState, MadeSnapshot
from connector.domain.origins import job_tag
from connector.domain.store_comparison import PointState
from connector.domain.work import SYNC, Kind, SlotGroup
from connector.engine.memory import MemoryEngine, MemoryRepository
from connector.engine.port import BackupOptions, FoundSnapshot
from connector.jobs.definition import Job
from connector.jobs.job_reporting import Reporter
from connector.queue.intake import WakeUps, work_of
from connector.queue.lease import Lease
from connector.queue.runner import Runner
from connector.settings import Settings
from connector.store.ports import KnownApp, Store
from connector.stores.directory_sender import Listed
from connector.stores.index_client import DamagedPoint
from connector.stores.open_stores import OpenStores
from connector.stores.watch import Watch
from connector.tasks.registry import activities, commands
from contracts.messages.assignment import App, AppRef
from contracts.messages.connector.stores import RefreshStore
from contracts.messages.restore_index import Damage, RestorePoint
from contracts.messages.scheduler import TaskRequested
from contracts.queries.restore_index import Deletion
from contracts.task_types.backup import BackupResult
from contracts.tasks import Task
from contracts.values import AppId, SnapshotId
from integrations.sdk.locations import SourceComparison, SourceTree, StoreLocation, UnreadablePath
from integrations.sdk.ports.retaining_store import Retention
from restic_reader import Config, FileKind, Found, Lock, MemoryFiles, Node, Snapshot, seal_of
from restic_reader.errors import Damaged, RepositoryNotFound, SnapshotNotFound

from tests.unit.connector.parts import (
    BACKUP,
    INITIALIZE,
    ORG,
    MemoryPublisher,
    an_app,
    held,
    memory_store,
    published,
    some_work,
)

PASSPHRASE = "unit"
REPLICA = "replica"
"""The store that has a place of its own; all others share one."""
SETTINGS: dict[str, Any] = {
    "instance": "me",
    "pool": "default",
    "app_patience_seconds": 0.0,
    "browsable_patience_seconds": 0.0,
    "lease_seconds": 30.0,
    "refresh_seconds": 3600.0,
}


class MemoryRepositoryFiles(MemoryFiles):
    """As much of the repository's files as is looked at without a key."""

    def __init__(self, workshop: "Workshop") -> None:
        self._workshop = workshop
        there = (
            {} if workshop.away or not workshop.current_id else {(FileKind.CONFIG, ""): workshop.current_id.encode()}
        )
        data = {(FileKind.PACK, "d" * 64): b""} if workshop.has_data or workshop.suspicious else {}
        snapshots = {} if workshop.suspicious or not (workshop.current_id or workshop.has_data) else _SNAPSHOTS
        super().__init__(there | data | {(FileKind.KEY, "k" * 64): b""} | (snapshots if there else {}))

    def read(self, kind: FileKind, name: str) -> bytes:
        if self._workshop.silent:
            raise self._workshop.silent
        return super().read(kind, name)

    def has_directory(self, kind: FileKind) -> None:
        if self._workshop.broken:
            raise self._workshop.broken


_SNAPSHOTS = {(FileKind.SNAPSHOT, "e" * 64): b""}


class MemoryReader:
    """What the in-process reader finds in the repository of the memory engine."""

    def __init__(self, workshop: "Workshop") -> None:
        self._workshop = workshop
        if workshop.away or not workshop.current_id:
            raise RepositoryNotFound(has_data=workshop.has_data)
        if workshop.silent:
            raise workshop.silent
        self.config = Config(version=workshop.version, id=workshop.current_id)
        self.access = self
        self.seal = seal_of(MemoryRepositoryFiles(workshop))

    def require_parts(self) -> None:
        if self._workshop.broken:
            raise self._workshop.broken

    def locks(self) -> list[Lock]:
        return list(self._workshop.locks)

    def may_have_lost_snapshots(self) -> bool:
        return self._workshop.suspicious

    def confirm(self) -> None:
        if self._workshop.silent:
            raise self._workshop.silent
        if self._workshop.away:
            raise RepositoryNotFound
        if self._workshop.current_id != self.config.id:
            raise Damaged("config", "", why="it is another one's")
        self.require_parts()

    def snapshot(self, snapshot_id: str) -> Snapshot:
        error = self._workshop.unreadable or self._workshop.damaged.get(snapshot_id)
        if error is not None:
            raise error
        found = next((_read(f) for f in self._workshop.kept() if f.snapshot_id == snapshot_id), None)
        if found is None:
            raise SnapshotNotFound(snapshot_id)
        return found

    def snapshot_ids(self) -> list[str]:
        return [found.snapshot_id for found in self._workshop.kept()]

    def snapshots(self) -> list[Snapshot]:
        found = self._workshop.kept()
        # Like the real one: of all at once, or of none.
        for error in (self._workshop.damaged.get(each.snapshot_id) for each in found):
            if isinstance(error, Damaged):
                raise error
        return [_read(each) for each in found]

    def resolve(self, tree_id: str, _path: bytes) -> Node:
        return Node(quoted_name="", type="dir", subtree=tree_id)

    def descend(self, top: Found, **_: Any) -> Iterator[Found]:
        for found, files in self._workshop.repository.snapshots.values():
            for path, content in files.items() if found.tree_id == top.node.subtree else ():
                if content is not None:
                    yield Found(path.lstrip("/").encode(), Node(quoted_name=path, type="file", size=len(content)))

    def stored_packs(self) -> "MemoryReader":
        return self

    def require(self, _file: Node) -> None:
        """The packs of all files are there."""

    def walk_new(self, tree_id: str, _known: Any) -> Iterator[Any]:
        self._workshop.walked.append(tree_id)
        if error := self._workshop.lost.get(tree_id):
            raise error
        return iter(())

    def doubtful_packs(self) -> frozenset[bytes]:
        return frozenset(tree_id.encode() for tree_id in self._workshop.lost)

    def close(self) -> None:
        """Nothing is open."""


class ReplicaReader(MemoryReader):
    """The same for the store that has a place of its own."""

    def __init__(self, workshop: "Workshop") -> None:
        super().__init__(workshop)
        made = workshop.engine.repositories.get(workshop.replica_place.address)
        if made is None:
            raise RepositoryNotFound
        self._made = made
        self.config = Config(version=2, id=made.id)

    def confirm(self) -> None:
        """It is always there."""

    def snapshot_ids(self) -> list[str]:
        return list(self._made.snapshots)

    def snapshots(self) -> list[Snapshot]:
        return [_read(found) for found, _ in self._made.snapshots.values()]


@dataclass
class MemoryLister:
    """Notes what it was to list; raises what it was told to."""

    listed: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    failures: dict[str, Exception] = field(default_factory=dict)
    index: "MemoryIndex | None" = None
    before: Callable[[], Awaitable[object]] | None = None

    async def list_restore_point(
        self, lease: Lease, _: Any, point: RestorePoint, *, again: object = None, **__: Any
    ) -> Listed:
        if self.before:
            await self.before()
        if error := self.failures.get(point.snapshot_id) or self.failures.get("*"):
            raise error
        self.listed.append(point.snapshot_id)
        if again is not None:
            self.again.append(point.snapshot_id)
        if self.index is not None and point.snapshot_id in self.index.refuses_all:
            return Listed(1, 1)
        if self.index is not None and (again is not None or point.snapshot_id not in self.index.refuses):
            self.index.points[point.snapshot_id] = True
            self.index.damaged.discard(point.snapshot_id)
            self.index.copies |= {point.snapshot_id} if point.origin_store_id else set()
        return Listed(1, 1)


@dataclass
class MemoryIndex:
    """Takes everything in at once, but for what it `refuses` as long as it is not sent in full."""

    points: dict[str, bool] = field(default_factory=dict)
    damaged: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    copies: set[str] = field(default_factory=set)
    """Of what it knows where a sync copied it from."""
    claimed: set[str] = field(default_factory=set)
    """What jobs delete."""
    refuses: set[str] = field(default_factory=set)
    refuses_all: set[str] = field(default_factory=set)
    after: Callable[[], Awaitable[object]] | None = None
    silent: bool = False
    decision: Deletion | None = None
    """What jobs may delete, as soon as they have asked."""
    is_asked: Callable[[], bool] = lambda: True
    over: set[str] = field(default_factory=set)
    """Jobs that have ended."""

    async def deletion(self, *_: Any) -> Deletion | None:
        return self.decision if self.is_asked() else None

    async def await_deletion(
        self, _org: Any, _store: Any, job_id: str, *, reserved: bool = False, **_: Any
    ) -> Deletion | None:
        # Of a job that is over it decides nothing, and of what is claimed for some time it tells who asks for that.
        return None if job_id in self.over or reserved is (job_id == "job") else self.decision

    async def await_gone(self, *_: Any, **__: Any) -> bool:
        return True

    async def restore_points(self, *_: Any) -> dict[str, PointState]:
        awaited = {False: PointState.AWAITED, True: PointState.BROWSABLE}
        known = {each: awaited[browsable] for each, browsable in self.points.items()}
        known |= dict.fromkeys(self.damaged, PointState.DAMAGED)
        if self.after:
            await self.after()
        return known

    async def staying_points(self, *_: Any) -> frozenset[SnapshotId]:
        return frozenset(map(SnapshotId, {*self.points, *self.damaged} - self.claimed))

    async def held_points(self, *_: Any) -> frozenset[SnapshotId]:
        return frozenset(map(SnapshotId, self.held))

    async def sync_copies(self, *_: Any) -> frozenset[SnapshotId]:
        return frozenset(map(SnapshotId, self.copies))

    async def damaged_points(self, *_: Any) -> list[DamagedPoint]:
        if self.silent:
            raise Unavailable("service_unavailable", "No answer.")
        damage = Damage(code="repository_damaged", detail="Of a test.")
        return [DamagedPoint(SnapshotId(each), damage) for each in sorted(self.damaged)]

    async def await_browsable(self, *_: Any, **__: Any) -> bool:
        return True


@dataclass
class Folders:
    """The one integration: sources and stores are folders below a root."""

    root: Path
    problems: tuple[UnreadablePath, ...] = ()
    comparison: SourceComparison | None = None
    retained: Retention | None = None

    async def retention(self, configuration: Any) -> Retention | None:
        return self.retained

    def file_source(self, protocol: str) -> "Folders":
        return self

    store = connection_test = file_source

    def store_location(self, configuration: Any) -> StoreLocation:
        is_replica = configuration is not None and configuration.app_id == REPLICA
        place = self.root / "stores" / (REPLICA if is_replica else "shared")
        return StoreLocation(address=str(place), passphrase=PASSPHRASE, local_path=place)

    @asynccontextmanager
    async def open_source(self, configuration: Any, **_: Any) -> AsyncIterator[SourceTree]:
        place = self.root / "source"
        yield SourceTree(directory=place, origin="/source", problems=self.problems, comparison=self.comparison)


@dataclass
class Workshop:
    """Everything around one job; `engine` and `lister` are there to be made to fail."""

    root: Path
    store: Store = field(default_factory=memory_store)
    engine: MemoryEngine = field(default_factory=MemoryEngine)
    lister: MemoryLister = field(default_factory=MemoryLister)
    publisher: MemoryPublisher = field(default_factory=MemoryPublisher)
    unreadable: Exception | None = None
    damaged: dict[str, Exception] = field(default_factory=dict)
    lost: dict[str, Exception] = field(default_factory=dict)
    walked: list[str] = field(default_factory=list)
    index: MemoryIndex = field(default_factory=MemoryIndex)
    repository_id: str = ""
    version: int = 2
    away: bool = False
    has_data: bool = False
    suspicious: bool = False
    locks: list[Lock] = field(default_factory=list)
    broken: Exception | None = None
    silent: Exception | None = None

    def runner(self) -> Runner:
        """Runs work of every kind here."""
        return Runner(self.store, activities(self.context))

    def __post_init__(self) -> None:
        (self.root / "source").mkdir()
        (self.root / "source" / "file").write_text("content")
        self.folders = Folders(self.root)
        lister: Any = self.lister
        integrations: Any = self.folders
        index: Any = self.index
        self.lister.index = self.index
        self.place = self.folders.store_location(None)
        replica = self.root / "stores" / REPLICA
        self.replica_place = replace(self.place, address=str(replica), local_path=replica)
        settings, wake_ups = Settings.model_construct(**SETTINGS), WakeUps()
        self.watch = Watch(self.store, wake_ups, settings)
        self.context = WorkerContext(
            settings=settings,
            store=self.store,
            sealer=Sealer(b"k" * 32),
            engine=self.engine,
            integrations=integrations,
            publisher=self.publisher,
            stores=OpenStores(self._open, limit=2, on_loss=self.watch.suspect_loss, on_change=self.watch.suspect),
            lister=lister,
            index=index,
            wake_ups=wake_ups,
            watch=self.watch,
            access=self._open,
            files=self._files,
        )

    async def open(self) -> "Workshop":
        """Make the apps known and the store ready."""
        for app in (an_app("source", kind="source"), an_app("store"), an_app("other"), an_app(REPLICA)):
            await self.store.apps.save(Aggregate(app.id, ORG), KnownApp(revision=1, app=app))
        await self.engine.initialize(self.place)
        return self

    async def attempt(self, seconds: float = 30, *, task: Task = BACKUP) -> Lease:
        """The next worker at the job."""
        return await held(self.store, await some_work(self.store, task=task), owner="me", seconds=seconds)

    async def job(self, *, task: Task = BACKUP) -> Job:
        """A job in its first attempt, for what is a part of its run."""
        lease = await self.attempt(task=task)
        request = lease.work.cause.data
        assert isinstance(request, TaskRequested)
        reporter = Reporter(self.publisher, lease, request.job_id)
        return Job(context=self.context, lease=lease, request=request, reporter=reporter, cancel=asyncio.Event())

    async def command(self, app_id: str = "store", kind: Kind = INITIALIZE, **facts: Any) -> Lease:
        """A worker at a new command about a store."""
        ref = AppRef(id=AppId(app_id), revision=1, kind="store", name=app_id)
        # Of the kinds that the tests use, only a sync has no command of its own.
        message = (commands()[kind].message or RefreshStore)(organization_id=ORG, app_id=ref.id, app=ref, **facts)
        cause = envelope(message, service="gateway")
        work_id = f"{cause.id}:follow" if kind == SYNC else cause.id
        work = work_of(cause, kind=kind, work_id=work_id, pool="default")
        await self.store.work.add(work, group=SlotGroup.COMMANDS)
        return await held(self.store, work, owner="me")

    async def again(self, lease: Lease) -> Lease:
        """The next worker at the same work."""
        return await held(self.store, lease.work, owner="me")

    async def left_behind(self, job_id: str = "job") -> str:
        """A snapshot that an engine made of a job, and that was told to nobody."""
        # Restore points tell milliseconds: of two within one the greater id would be the newer.
        await asyncio.sleep(0.002)
        made = await self.engine.backup(
            self.place,
            SourceTree(directory=self.root / "source"),
            options=BackupOptions(host="source", tags=(job_tag(job_id), f"cairn:org={ORG}", "cairn:source=source")),
            on_progress=lambda _: None,
            on_log=lambda *_: None,
            cancel=asyncio.Event(),
        )
        return made.snapshot_id

    async def lost_attempt(
        self, *, made: str = "", number: int = 1, state: AttemptState = "running", job_id: str = "job"
    ) -> None:
        """An attempt whose worker is gone; `made` is what it announced."""
        await some_work(self.store)
        snapshot = MadeSnapshot(summary=BackupResult(snapshot_id=made)) if made else None
        until = datetime.now(UTC) - timedelta(seconds=1)
        attempt = Attempt(work_id=job_id, number=number, owner="gone", until=until, state=state, made=snapshot)
        await self.store.attempts.save(await self.store.attempts.load(ORG, attempt.id), attempt)

    def _files(self, *_: Any) -> Any:
        return MemoryRepositoryFiles(self)

    @property
    def current_id(self) -> str:
        """The repository that is at the place: the engine's, unless another one was put there; empty where none is."""
        made = self.engine.repositories.get(self.place.address)
        return self.repository_id or (made.id if made else "")

    def _open(self, _: Any, app: App) -> Any:
        return ReplicaReader(self) if app.id == REPLICA else MemoryReader(self)

    @property
    def repository(self) -> MemoryRepository:
        """The repository that the engine made."""
        return self.engine.repositories[self.place.address]

    def kept(self) -> list[FoundSnapshot]:
        """What is in the store."""
        return [found for found, _ in self.repository.snapshots.values()]

    def published(self, kind: type[Any]) -> list[Any]:
        """What was said of this kind."""
        sent = [*published(self.store), *self.publisher.sent]
        return [message.data for message in sent if isinstance(message.data, kind)]


def _read(found: FoundSnapshot) -> Snapshot:
    return Snapshot(
        time=found.time.isoformat(),
        tree=found.tree_id,
        id=found.snapshot_id,
        paths=found.paths,
        hostname=found.host,
        tags=found.tags,
        original=found.original or None,
    )
