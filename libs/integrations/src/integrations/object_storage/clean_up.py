"""Removes what runs left behind: mounts whose worker was killed, and copies of sources that are gone."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from contracts.values import AppId, OrganizationId

from integrations.object_storage.kept_listings import sweep_listings
from integrations.rclone.mount import is_mounted, unmount
from integrations.rclone.source_scratch import LOCK, SOURCES, lock_now, read_owner

IsWanted = Callable[[OrganizationId, AppId], Awaitable[bool]]
"""Whether a source or a store may still be used."""


async def sweep(work_dir: Path, is_wanted: IsWanted) -> None:
    """Unmount everything that no run uses, and remove the directories and listings of apps that are not wanted.

    What another run holds, of this process or of another, is left alone.
    """
    sources = work_dir / SOURCES
    for name in await asyncio.to_thread(_names, sources):
        await _sweep(sources / name, is_wanted)


async def _sweep(place: Path, is_wanted: IsWanted) -> None:
    lock_path = place.with_name(f"{place.name}{LOCK}")
    with lock_now(lock_path) as lock:
        if lock is None:
            return
        # The lock is ours, so that no run uses this mount: its worker was killed.
        await unmount(place / "mount")
        owner = await asyncio.to_thread(read_owner, lock)
        if owner and await is_wanted(*owner):
            await sweep_listings(place, lambda store_id: is_wanted(owner[0], AppId(store_id)))
            return
        # Still mounted, since unmounting failed: removing the directory would go through the files of the source.
        if await asyncio.to_thread(is_mounted, place / "mount"):
            return
        await asyncio.to_thread(_remove, place, lock_path)


def _names(sources: Path) -> list[str]:
    with suppress(FileNotFoundError):
        return sorted({path.name.removesuffix(LOCK) for path in sources.iterdir()})
    return []


def _remove(place: Path, lock_path: Path) -> None:
    """The lock goes last, and only when all else is gone."""
    with suppress(FileNotFoundError):
        shutil.rmtree(place)
    lock_path.unlink(missing_ok=True)
