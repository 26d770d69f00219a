"""Commands to and events of the connector workers: tests, stores, running tasks, integrations on offer."""

from pathlib import PurePosixPath
from typing import Any, ClassVar, Literal

from pydantic import Field, JsonValue, model_validator

from contracts import topics
from contracts.messages.assignment import AppKind, AppRef
from contracts.messages.base import Command, Event
from contracts.messages.outcomes import Problem
from contracts.messages.restore_index import RestorePoint
from contracts.paths import normalized
from contracts.tasks import BackupResult, TaskResult, lift_result
from contracts.values import AppId, CommandId, IntegrationId, JobId, Moment, OrganizationId, SnapshotId, Value

Compression = Literal["auto", "fastest", "better", "max"]
"""How much effort goes into compressing; the algorithm is always Zstandard."""
EVERYBODY = OrganizationId("")
"""Organization of messages that concern the whole installation."""


class Match(Value):
    """A class and subclass of resource that an integration can work with."""

    class_: str = Field(alias="class", description="Class of the resource")
    subclass: str = Field(description="Subclass of the resource")


class Protocol(Value):
    """One way an integration reaches a system."""

    name: str = Field(description="e.g. `s3`; equal to the integration's name where there is just one")
    title: str = Field(description="For display")
    kinds: tuple[AppKind, ...] = Field(description="What an app of this protocol can be")
    schemas: dict[AppKind, dict[str, JsonValue]] = Field(
        description="JSON Schema (2020-12) of the fields per kind; values are strings; secrets have `x-secret`"
    )


class Integration(Value):
    """A plug-in for a kind of system."""

    id: IntegrationId = Field(description="Fixed: part of the manifest")
    name: str = Field(description="Short name, e.g. `s3`")
    version: str = Field(description="Version of the manifest, e.g. `1.0.0`")
    title: str = Field(description="For display")
    matches: tuple[Match, ...] = Field(description="Resources that it can work with")
    protocols: tuple[Protocol, ...] = Field(description="Ways to reach them; at least one")
    help: str = Field(default="", description="One paragraph for the person who fills in the form")


class Check(Value):
    """One step of a connection test."""

    name: str = Field(
        description="`reachable`, `authenticated`, `listable`, `writable`, `initialized`, `passphrase` or `repository`"
    )
    ok: bool = Field(description="Whether the step succeeded")
    duration_ms: float = Field(description="Milliseconds")
    detail: str = Field(default="", description="What was found, in words; never a secret")


class StoreWarning(Value):
    """Something about a store that people should know although backups into it work."""

    code: str = Field(
        description="`restore_points_damaged`: the store has lost something; `restore_points_unreadable`: it does not"
        " give something out; `restore_points_not_indexable`: nothing is lost, but they cannot be browsed;"
        " `restore_points_unknown`: nobody could be asked"
    )
    detail: str = Field(description="What is wrong, in words")
    snapshot_ids: tuple[SnapshotId, ...] = Field(default=(), description="The first of the restore points in question")
    total: int = Field(default=0, description="How many restore points there are in question")


class TestReport(Value):
    """Result of a connection test."""

    # Keeps pytest from collecting a class whose name begins with `Test`.
    __test__: ClassVar[bool] = False

    ok: bool = Field(description="Whether every check succeeded")
    checks: tuple[Check, ...] = Field(description="The steps, in the order in which they were taken")
    initialized: bool | None = Field(default=None, description="Stores only: whether a repository is there")
    warnings: tuple[StoreWarning, ...] = Field(
        default=(), description="Stores only: what is wrong with restore points; changes nothing about `ok`"
    )


class ConnectorCommand(Command):
    """Keyed by app."""

    TOPIC: ClassVar[str] = topics.CONNECTOR_COMMANDS
    KEY: ClassVar[str] = "app_id"

    app_id: AppId = Field(description="App to act on")
    app: AppRef = Field(description="The app in the revision that the sender knew")
    pool: str = Field(
        default=topics.DEFAULT_POOL, description="Pool of workers that can reach the app; part of the topic's name"
    )

    @property
    def topic(self) -> str:
        """The commands of the pool."""
        return topics.connector_commands(self.pool)


class TestConnection(ConnectorCommand):
    """Connect for real and report each check. Result: a `TestReport`, also when a check failed."""

    __test__: ClassVar[bool] = False
    TYPE: ClassVar[str] = "cairn.connector.connection.test.v1"


class InitializeStore(ConnectorCommand):
    """Create the repository of a store, or adopt the one that is there.

    Result: `{"adopted": bool, "repository_id", "compression"}`. Refused: `passphrase_missing`, `passphrase_wrong`,
    `store_unreachable`, `root_forbidden`, and, unless forced, `repository_missing` or `repository_changed` where the
    store had another repository before, `snapshots_missing` where it lost what it had, ...
    """

    TYPE: ClassVar[str] = "cairn.connector.store.initialize.v1"

    force: bool = Field(
        default=False, description="Take what is there, or make a repository, though the store had another one before"
    )
    compression: Compression | None = Field(
        default=None, description="How later backups into the store compress; None: as before"
    )


class RefreshStore(ConnectorCommand):
    """Compare a store with the restore index, and have the index follow it.

    Result: `{"added", "removed", "listed", "damaged", "warnings"}`, how many restore points the index lacks, has in
    excess, will be sent listings of, and was told before that they are damaged, with a `StoreWarning` of these; the
    rest happens after the answer, and ends with `StoreRefreshed`. A store that cannot be opened changes nothing.
    Refused: `store_not_initialized`, `repository_missing`, `repository_changed`,
    `repository_damaged`, `snapshots_missing`, `passphrase_wrong`, `store_unreachable`, ...
    """

    TYPE: ClassVar[str] = "cairn.connector.store.refresh.v1"

    rebuild: bool = Field(
        default=False, description="Send listings of all restore points, whatever the index has of them already"
    )
    force: bool = Field(
        default=False, description="Believe a store that has no restore point any more, though data of some is there"
    )
    look_for_loss: bool = Field(
        default=False, description="Look too whether the store has lost directories that the index has already"
    )
    suspects: tuple[SnapshotId, ...] = Field(
        default=(), description="Restore points in which something could not be read: their directories are read again"
    )


class StoreLock(Value):
    """A process that says it works on the repository of a store. Of one that cannot be read only the id is known."""

    id: str = Field(description="Name of its file; changes as the process renews it")
    exclusive: bool = Field(description="Whether it keeps everybody else out")
    host: str = Field(default="", description="The machine it runs on")
    process: int = Field(default=0, description="Its process id there")
    user: str = Field(default="", description="The user it runs as")
    since: Moment | None = Field(
        default=None, description="When it was last renewed; who lives does so every 5 minutes"
    )
    stale: bool = Field(
        default=False,
        description="Proved to be nobody's: not renewed for 30 minutes, or of a dead process of the worker",
    )

    # The id of a lock changes each time its process renews it, so it cannot tell whether a lock was seen before.
    @property
    def holder(self) -> tuple[str, int]:
        """The process, whatever lock it has at the moment."""
        return self.host, self.process

    @property
    def in_words(self) -> str:
        """Who, where and since when."""
        if not self.host:
            return f"a lock that cannot be read ({self.id[:8]})"
        since = f" since {self.since:%Y-%m-%d %H:%M:%S} UTC" if self.since else ""
        return f"process {self.process} of {self.user or 'somebody'} on the host {self.host}{since}"


class UnlockStore(ConnectorCommand):
    """Remove the locks of a store that are proved stale.

    Result: `{"removed", "remaining"}`, each a list of `StoreLock`. Refused: `lock_not_stale` where there are locks and
    none of them is, `store_not_initialized`, `passphrase_wrong`, `store_unreachable`, ...
    """

    TYPE: ClassVar[str] = "cairn.connector.store.unlock.v1"


class ConnectorEvent(Event):
    """All connector events share a topic; the key is the id of what the event is about."""

    TOPIC: ClassVar[str] = topics.CONNECTOR_EVENTS


class IntegrationOffered(ConnectorEvent):
    """Workers can run this integration; sent by each worker as it starts."""

    TYPE: ClassVar[str] = "cairn.connector.integration.offered.v1"
    KEY: ClassVar[str] = "integration_id"

    integration_id: IntegrationId = Field(description="The integration")
    integration: Integration = Field(description="Its manifest")


class Reach(Value):
    """A limit to what the workers of a pool can reach of a protocol."""

    protocol: str = Field(description="Protocol that the limit is for")
    field: str = Field(description="Field of its configuration that holds a path")
    within: tuple[str, ...] = Field(description="The path is one of these directories, or lies below one")

    def admits(self, protocol: str, value: str | None) -> bool:
        """Whether an app of a protocol, with this value in the field, can be reached as far as this limit goes."""
        # A limit speaks of one field of one protocol only. Without a value there is nothing to judge yet.
        if protocol != self.protocol or value is None:
            return True
        # Normalized without looking at the disk: this is asked by services that run on other machines.
        path = PurePosixPath(normalized(value))
        return any(path.is_relative_to(normalized(directory)) for directory in self.within)


class PoolOffered(ConnectorEvent):
    """What the workers of a pool can reach; all workers of a pool can reach the same."""

    TYPE: ClassVar[str] = "cairn.connector.pool.offered.v1"
    KEY: ClassVar[str] = "pool"

    pool: str = Field(description="Name of the pool")
    reach: tuple[Reach, ...] = Field(default=(), description="Limits; of protocols without one everything is reached")


class ConnectionTested(ConnectorEvent):
    """A connection was tested."""

    TYPE: ClassVar[str] = "cairn.connector.connection.tested.v1"
    KEY: ClassVar[str] = "app_id"

    app_id: AppId = Field(description="The app")
    command_id: CommandId = Field(description="Id of the `TestConnection` that asked for it")
    report: TestReport = Field(description="What was found")


class StoreInitialized(ConnectorEvent):
    """A store has a repository."""

    TYPE: ClassVar[str] = "cairn.connector.store.initialized.v1"
    KEY: ClassVar[str] = "app_id"

    app_id: AppId = Field(description="The store")
    adopted: bool = Field(description="True when a repository was there already")
    repository_id: str = Field(description="Id that the engine gave the repository")


class StoreRefreshed(ConnectorEvent):
    """A store was compared with the restore index, and the index was told what differed."""

    TYPE: ClassVar[str] = "cairn.connector.store.refreshed.v1"
    KEY: ClassVar[str] = "app_id"

    app_id: AppId = Field(description="The store")
    rebuild: bool = Field(default=False, description="Whether everything was listed again")
    added: int = Field(description="Restore points that the index lacked")
    removed: int = Field(description="Restore points that the store has no more")
    listed: int = Field(description="Restore points whose directories were sent, as far as the index lacked them")
    unlisted: int = Field(
        default=0, description="Restore points that cannot be browsed all the same; the next refresh tries them again"
    )
    damaged: int = Field(
        default=0, description="Those of them that are damaged, or that the store does not give out; each has an event"
    )


class TaskEvent(ConnectorEvent):
    """About a job; `attempt` is the fencing token: readers refuse what carries an older one."""

    KEY: ClassVar[str] = "job_id"

    job_id: JobId = Field(description="The job")
    attempt: int = Field(ge=1, description="Number of the attempt at the job, from 1")
    at: Moment = Field(description="When it happened")


class TaskStarted(TaskEvent):
    """A worker took the job."""

    TYPE: ClassVar[str] = "cairn.connector.task.started.v1"

    worker: str = Field(description="Name of the worker's process")


class TaskProgressed(TaskEvent):
    """How far the job is. Lossy: the latest wins, at most two a second."""

    TYPE: ClassVar[str] = "cairn.connector.task.progressed.v1"

    phase: str = Field(description="`preparing`, `waiting`, `transferring`, `indexing`")
    waiting_for: str = Field(default="", description="Who holds the store, in words, while the phase is `waiting`")
    fraction: float = Field(ge=0, le=1, description="Part of the job that is done")
    files_done: int = Field(default=0, description="Files handled so far")
    files_total: int = Field(default=0, description="Files known of so far")
    bytes_done: int = Field(default=0, description="Bytes handled so far")
    bytes_total: int = Field(default=0, description="Bytes known of so far")
    current: tuple[str, ...] = Field(default=(), description="Paths being worked on")
    cpu_percent: float = Field(default=0, description="Of one core, engine processes")
    memory_bytes: int = Field(default=0, description="Resident, engine processes")
    network_bytes: int = Field(default=0, description="Sent and received by the worker's host since the job started")


class LogLine(Value):
    """One line of a job's log."""

    at: Moment = Field(description="When it was written")
    level: str = Field(description="`info`, `warning` or `error`")
    text: str = Field(description="The line, without a secret")


class TaskLogged(TaskEvent):
    """Lines for the job's log. `sequence` grows by one within an attempt, from 1."""

    TYPE: ClassVar[str] = "cairn.connector.task.logged.v1"

    sequence: int = Field(description="Number of the message within the attempt, from 1")
    lines: tuple[LogLine, ...] = Field(description="The lines, oldest first")


class TaskEnded(TaskEvent):
    """A job came to an end that leaves a result.

    `backup` repeats the result of a backup, for readers of versions before results had types; it can go once no such
    version is in use.
    """

    result: TaskResult | None = Field(default=None, description="Figures, by type of task")
    backup: BackupResult | None = Field(default=None, description="The result again, when the job was a backup")

    @model_validator(mode="before")
    @classmethod
    def _lift(cls, data: Any) -> Any:
        # Both ways: `backup` of an old message becomes the result, and it is repeated as `backup` for old readers.
        lifted = lift_result(data)
        result = lifted.get("result") if isinstance(lifted, dict) else None
        return lifted | {"backup": result} if isinstance(result, BackupResult) else lifted


class TaskSucceeded(TaskEnded):
    """The job did all it should."""

    TYPE: ClassVar[str] = "cairn.connector.task.succeeded.v1"


class TaskFailed(TaskEnded):
    """The job did not do all it should. It may still have left something: `result` tells."""

    TYPE: ClassVar[str] = "cairn.connector.task.failed.v1"

    problem: Problem = Field(description="Why, in words")


class TaskCancelled(TaskEvent):
    """The job was stopped on request."""

    TYPE: ClassVar[str] = "cairn.connector.task.cancelled.v1"


class RestorePointCreated(ConnectorEvent):
    """A store holds a restore point (made by a backup, or found in an adopted store)."""

    TYPE: ClassVar[str] = "cairn.connector.restore-point.created.v1"
    KEY: ClassVar[str] = "store_id"

    store_id: AppId = Field(description="The store")
    restore_point: RestorePoint = Field(description="What it now holds")


class RestorePointRemoved(ConnectorEvent):
    """A restore point is gone from its store."""

    TYPE: ClassVar[str] = "cairn.connector.restore-point.removed.v1"
    KEY: ClassVar[str] = "store_id"

    store_id: AppId = Field(description="The store")
    snapshot_id: str = Field(description="The restore point that is gone")
