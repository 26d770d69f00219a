"""Backup jobs of real sources by restic, run to their end without the servers that Cairn stands on."""

import asyncio
import os
import shutil
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector.engine.restic import ResticEngine, ResticSettings
from connector.jobs.job_runner import run_job
from connector.stores.open_stores import OpenStores
from connector.tasks.backup import TASK
from contracts.messages.connector.task_events import TaskFailed, TaskLogged, TaskSucceeded
from contracts.messages.scheduler import TaskRequested
from contracts.values import AppId
from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.locations import SourceTree, StoreLocation
from integrations.sdk.ports import FileSource
from restic_reader import KeyRing, LocalFiles, Repository

from tests.unit.connector.workshop import PASSPHRASE, Workshop


@dataclass(frozen=True)
class Ended:
    """How a job ended, and what its restore point holds."""

    code: str
    """Empty when it succeeded."""
    detail: str
    lines: tuple[str, ...]
    files: Mapping[str, bytes]
    """Content of the files in the restore point; paths are relative to its root, bytes surrogate escapes."""
    folders: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    """Links, pipes, sockets."""

    @property
    def text(self) -> str:
        return "\n".join((*self.lines, self.detail))


@dataclass
class Source:
    """What the job is told to back up: in place of the integrations of a worker."""

    integration: FileSource
    configuration: AppConfiguration
    location: StoreLocation

    def file_source(self, _: str) -> "Source":
        return self

    store = file_source

    def open_source(self, _: Any, **others: Any) -> AbstractAsyncContextManager[SourceTree]:
        return self.integration.open_source(self.configuration, **others)

    def store_location(self, _: Any) -> StoreLocation:
        return self.location


class Jobs:
    """Runs one job after the other into a store on disk."""

    def __init__(
        self,
        restic: Path,
        root: Path,
        *,
        initialized: Path | None = None,
        repository: type[Repository] = Repository,
    ) -> None:
        """`initialized`: a repository with the workshop's passphrase, which is copied: restic takes a while.

        `repository`: how the job reads its store.
        """
        self._repository = repository
        self._initialized = initialized
        self._engine = ResticEngine(ResticSettings(program=str(restic), cache_dir=root / "restic-cache"))
        self._ring = KeyRing()
        self._root = root
        self._count = 0

    def store(self, name: str = "store") -> StoreLocation:
        """A place for a repository."""
        place = self._root / "stores" / name
        return StoreLocation(address=str(place), passphrase=PASSPHRASE, local_path=place)

    async def initialize(self, location: StoreLocation) -> None:
        """Make the repository, unless it is there."""
        place = Path(location.address)
        if self._initialized and not place.exists():
            shutil.copytree(self._initialized, place)
        elif not place.exists():
            await self._engine.initialize(location)

    async def run(
        self, integration: FileSource, configuration: AppConfiguration, *, store: str = "store", **options: Any
    ) -> Ended:
        """The next backup of a source, into `store` or `other`; `options` are the task's."""
        self._count += 1
        location, root = self.store(store), self._root / f"job-{self._count}"
        root.mkdir(parents=True)
        await self.initialize(location)
        workshop = await Workshop(root).open()
        object.__setattr__(workshop.context, "engine", self._engine)
        object.__setattr__(workshop.context, "integrations", Source(integration, configuration, location))
        object.__setattr__(workshop.context, "stores", OpenStores(lambda *_: self._read(location), limit=1))
        lease = await workshop.attempt(seconds=600)
        request = lease.work.cause.data
        assert isinstance(request, TaskRequested)
        assert request.task.target is not None
        target = request.task.target.model_copy(update={"id": AppId(store)})
        chosen = request.task.options.model_copy(update=options)
        task = request.task.model_copy(update={"target": target, "options": chosen})
        request = request.model_copy(update={"task": task})
        await run_job(workshop.context, lease, request, task=TASK, cancel=asyncio.Event())
        await workshop.context.stores.close()
        return _ended(workshop, location)

    def _read(self, location: StoreLocation) -> Repository:
        return self._repository.open(LocalFiles(Path(location.address)), PASSPHRASE, ring=self._ring)


def _ended(workshop: Workshop, location: StoreLocation) -> Ended:
    lines = tuple(line.text for event in workshop.published(TaskLogged) for line in event.lines)
    failed, succeeded = workshop.published(TaskFailed), workshop.published(TaskSucceeded)
    problem = failed[0].problem if failed else None
    backup = (failed or succeeded)[0].backup
    kinds = read_back(location, backup.snapshot_id) if backup else {}
    return Ended(
        code=problem.code if problem else "",
        detail=problem.detail if problem else "",
        lines=lines,
        files={path: data for path, (kind, data) in kinds.items() if kind == "file"},
        folders=frozenset(path for path, (kind, _) in kinds.items() if kind == "dir"),
        others=frozenset(path for path, (kind, _) in kinds.items() if kind not in ("file", "dir")),
    )


def read_back(location: StoreLocation, snapshot_id: str) -> dict[str, tuple[str, bytes]]:
    """Type and content of everything in a snapshot, by path."""
    found: dict[str, tuple[str, bytes]] = {}
    with Repository.open(LocalFiles(Path(location.address)), PASSPHRASE) as repository:
        waiting = [("", repository.snapshot(snapshot_id).tree)]
        while waiting:
            above, tree = waiting.pop()
            for node in repository.tree(tree):
                path = f"{above}/{os.fsdecode(node.name)}" if above else os.fsdecode(node.name)
                found[path] = (node.type, b"".join(repository.read(node)) if node.type == "file" else b"")
                if node.subtree:
                    waiting.append((path, node.subtree))
    return found
