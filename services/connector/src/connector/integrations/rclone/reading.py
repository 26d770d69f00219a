"""Chooses how a source is read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from connector.engine.places import SourceTree
from connector.engine.port import OnLog
from connector.integrations.configuration import AppConfiguration
from connector.integrations.errors import SourceUnreachable
from connector.integrations.rclone.mount import mount_source, why_not_mount
from connector.integrations.rclone.remote import Rclone, Remote
from connector.integrations.rclone.scratch import open_scratch
from connector.integrations.rclone.sync import copy_source
from connector.integrations.surroundings import Surroundings


@asynccontextmanager
async def read_remote(
    remote: Remote,
    configuration: AppConfiguration,
    surroundings: Surroundings,
    *,
    on_log: OnLog,
    cancel: asyncio.Event,
) -> AsyncIterator[SourceTree]:
    """A remote as a directory, mounted or copied as the surroundings want it, used by one run at a time.

    Raises `SourceUnreachable` or `Cancelled`.
    """
    rclone = Rclone(surroundings.rclone, cache_dir=surroundings.work_dir / "rclone", on_log=on_log, cancel=cancel)
    async with AsyncExitStack() as stack:
        scratch = open_scratch(surroundings.work_dir, configuration, on_log=on_log, cancel=cancel)
        place = await stack.enter_async_context(scratch)
        if surroundings.reading != "sync" and (tree := await _mounted(stack, rclone, remote, place=place)):
            yield tree
        elif surroundings.reading == "mount":
            raise SourceUnreachable(f"{remote.origin} should be mounted, but {why_not_mount() or 'that failed'}.")
        else:
            yield await copy_source(rclone, remote, place / "copy")


async def _mounted(stack: AsyncExitStack, rclone: Rclone, remote: Remote, *, place: Path) -> SourceTree | None:
    """The tree, or None where mounting does not work here."""
    if why_not_mount():
        return None
    try:
        return await stack.enter_async_context(mount_source(rclone, remote, place / "mount"))
    except SourceUnreachable as error:
        rclone.on_log("warning", error.detail)
        return None
