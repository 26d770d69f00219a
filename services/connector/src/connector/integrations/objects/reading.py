"""Chooses how an object store is read, and compares what arrived with what was listed."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from connector.engine.places import SourceTree
from connector.engine.port import OnLog
from connector.integrations.configuration import AppConfiguration
from connector.integrations.errors import Cancelled, ScratchFull, SourceUnreachable
from connector.integrations.objects.copying import Copying
from connector.integrations.objects.kept import KEPT
from connector.integrations.objects.listing import Listing, Problems
from connector.integrations.objects.mounting import MountEvidence, compare, excludes
from connector.integrations.objects.stopping import unless_cancelled
from connector.integrations.objects.store import ObjectStore
from connector.integrations.rclone.mount import mount_source, why_not_mount
from connector.integrations.rclone.remote import Rclone, Remote
from connector.integrations.rclone.scratch import open_scratch
from connector.integrations.surroundings import Surroundings


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
    surroundings: Surroundings,
    *,
    on_log: OnLog,
    cancel: asyncio.Event,
) -> AsyncIterator[SourceTree]:
    """The source as a directory, mounted or copied as the surroundings want it, used by one run at a time.

    What is listed and is not in the directory is among the tree's problems. Raises `SourceUnreachable`,
    `SourceRefused` or `SourceMissing` when the source cannot be listed: what is kept of it stays then; `Cancelled`.
    """
    async with open_scratch(surroundings.work_dir, configuration, on_log=on_log, cancel=cancel) as place:
        listing = await _list(source, place, on_log=on_log, cancel=cancel)
        try:
            run = _Run(source, listing, Problems(listing), place, on_log, cancel)
            async with run.open(surroundings) as tree:
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
    async def open(self, surroundings: Surroundings) -> AsyncIterator[SourceTree]:
        """Mounted where that is wanted and works, else copied."""
        async with AsyncExitStack() as stack:
            # To rclone an empty part of a bucket, or one with folders only, is as good as a missing one.
            if surroundings.reading != "sync" and self.listing.has_files and await self._mount(stack, surroundings):
                yield await self._mounted()
            elif surroundings.reading == "mount" and self.listing.has_files:
                why = why_not_mount() or "that failed"
                raise SourceUnreachable(f"{self.source.origin} should be mounted, but {why}.")
            else:
                copying = Copying(self.source.store, self.listing, self.problems, place=self.place, on_log=self.on_log)
                directory = await copying.run(self.cancel)
                yield SourceTree(directory=directory, origin=self.source.origin, problems=self.problems)

    async def _mount(self, stack: AsyncExitStack, surroundings: Surroundings) -> bool:
        """Whether it is mounted now: not every machine can."""
        if why_not_mount():
            return False
        cache_dir = surroundings.work_dir / "rclone"
        rclone = Rclone(surroundings.rclone, cache_dir=cache_dir, on_log=self.on_log, cancel=self.cancel)
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
            evidence=MountEvidence(self.source.store, self.listing, self.place / KEPT, cancel=self.cancel),
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
