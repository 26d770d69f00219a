"""Chooses how an object store is read, and compares what arrived with what was listed."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from integrations.object_storage.kept_listings import KEPT
from integrations.object_storage.listing import Listing, Problems
from integrations.object_storage.local_copy import LocalCopy
from integrations.object_storage.mounted_source import MountComparison, compare, excludes
from integrations.object_storage.port import ObjectStore
from integrations.rclone.mount import mount_source, why_not_mount
from integrations.rclone.remote import Rclone, Remote
from integrations.rclone.source_scratch import open_scratch
from integrations.sdk.cancellation import unless_cancelled
from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.environment import WorkerEnvironment
from integrations.sdk.errors import Cancelled, ScratchFull, SourceUnreachable
from integrations.sdk.job_log import OnLog
from integrations.sdk.locations import SourceTree


@dataclass(frozen=True, kw_only=True)
class ObjectSource:
    """A source and the two ways to it."""

    store: ObjectStore
    remote: Callable[[], Remote]
    """How rclone reaches it; asked once it was listed."""
    origin: str
    """For people, e.g. `s3://bucket/prefix`."""


@asynccontextmanager
async def read_objects(
    source: ObjectSource,
    configuration: AppConfiguration,
    environment: WorkerEnvironment,
    *,
    on_log: OnLog,
    cancel: asyncio.Event,
) -> AsyncIterator[SourceTree]:
    """The source as a directory, mounted or copied as the environment want it, used by one run at a time.

    What is listed and is not in the directory is among the tree's problems. Raises `SourceUnreachable`,
    `SourceRefused` or `SourceMissing` when the source cannot be listed: what is kept of it stays then; `Cancelled`.
    """
    async with open_scratch(environment.work_dir, configuration, on_log=on_log, cancel=cancel) as place:
        listing = await _list(source, place, on_log=on_log, cancel=cancel)
        try:
            run = _Run(source, listing, Problems(listing), place, on_log, cancel)
            async with run.open(environment) as tree:
                yield tree
        except sqlite3.Error as error:
            raise ScratchFull(str(error)) from None
        finally:
            await asyncio.to_thread(listing.close)


@dataclass(frozen=True)
class _Run:
    source: ObjectSource
    listing: Listing
    problems: Problems
    place: Path
    on_log: OnLog
    cancel: asyncio.Event

    @asynccontextmanager
    async def open(self, environment: WorkerEnvironment) -> AsyncIterator[SourceTree]:
        """Mounted where that is wanted and works, else copied."""
        async with AsyncExitStack() as stack:
            # To rclone an empty part of a bucket, or one with folders only, is as good as a missing one.
            if environment.reading != "sync" and self.listing.has_files and await self._mount(stack, environment):
                yield await self._mounted()
            elif environment.reading == "mount" and self.listing.has_files:
                why = why_not_mount() or "that failed"
                raise SourceUnreachable(f"{self.source.origin} should be mounted, but {why}.")
            else:
                copy = LocalCopy(self.source.store, self.listing, self.problems, place=self.place, on_log=self.on_log)
                directory = await copy.run(self.cancel)
                yield SourceTree(directory=directory, origin=self.source.origin, problems=self.problems)

    async def _mount(self, stack: AsyncExitStack, environment: WorkerEnvironment) -> bool:
        """Whether it is mounted now: not every machine can."""
        if why_not_mount():
            return False
        cache_dir = environment.work_dir / "rclone"
        rclone = Rclone(
            environment.rclone,
            open_program=environment.open_program,
            cache_dir=cache_dir,
            on_log=self.on_log,
            cancel=self.cancel,
        )
        left_out = await asyncio.to_thread(excludes, self.listing)
        mounting = mount_source(rclone, self.source.remote(), self.place / "mount", excludes=left_out)
        try:
            await stack.enter_async_context(mounting)
        except SourceUnreachable as error:
            self.on_log("warning", error.detail)
            return False
        return True

    async def _mounted(self) -> SourceTree:
        directory = self.place / "mount"
        looking = asyncio.to_thread(compare, self.listing, self.problems, directory, cancel=self.cancel)
        await unless_cancelled(looking, self.cancel)
        return SourceTree(
            directory=directory,
            origin=self.source.origin,
            stable_inodes=False,
            problems=self.problems,
            comparison=MountComparison(self.source.store, self.listing, self.place / KEPT, cancel=self.cancel),
        )


async def _list(source: ObjectSource, place: Path, *, on_log: OnLog, cancel: asyncio.Event) -> Listing:
    listing = await asyncio.to_thread(Listing, place / "listing.db")
    try:
        async for page in source.store.pages():
            if cancel.is_set():
                raise Cancelled
            await asyncio.to_thread(listing.add, page)
        await asyncio.to_thread(listing.settle)
    except sqlite3.Error as error:
        await asyncio.to_thread(listing.close)
        raise ScratchFull(str(error)) from None
    except BaseException:
        await asyncio.to_thread(listing.close)
        raise
    on_log("info", f"{source.origin} lists {len(listing)} objects")
    return listing
