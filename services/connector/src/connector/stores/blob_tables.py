"""Where the tables of each store's blobs lie on this machine, and removal of those whose stores are gone."""

import asyncio
import hashlib
import logging
import os
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from contracts.values import AppId, OrganizationId

log = logging.getLogger(__name__)
BLOB_TABLES = "blob-tables"
_OWNER = "owner"

IsWanted = Callable[[OrganizationId, AppId], Awaitable[bool]]
"""Whether a store may still be read."""


def blob_table_dir(work_dir: Path, org: OrganizationId, app_id: AppId) -> Path:
    """The directory of one store, for this user only. It is returned also where it cannot be made."""
    # Hashed, since ids may hold any character; the owner in clear beside the tables, so that the sweep finds the store.
    owner = f"{org}\n{app_id}".encode("utf-8", "surrogatepass")
    place = work_dir / BLOB_TABLES / hashlib.sha256(owner).hexdigest()
    try:
        for each in (work_dir, place.parent, place):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_once(place / _OWNER, owner)
    except OSError as error:
        # Tables are an optimization (decision 0011): without its directory a store is read from memory.
        log.warning("no directory for tables of blobs", extra={"reason": error.strerror or type(error).__name__})
    return place


async def sweep_blob_tables(work_dir: Path, is_wanted: IsWanted) -> None:
    """Remove the directories of stores that are not wanted. Tables that are open stay readable."""
    for place in await asyncio.to_thread(_places, work_dir / BLOB_TABLES):
        owner = await asyncio.to_thread(_owner, place)
        if owner is None or not await is_wanted(*owner):
            await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)


def _write_once(path: Path, content: bytes) -> None:
    if path.exists():
        return
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.write_bytes(content)
    fresh.replace(path)


def _owner(place: Path) -> tuple[OrganizationId, AppId] | None:
    """Whose directory it is; None where that was never written."""
    with suppress(OSError, UnicodeDecodeError):
        organization_id, _, app_id = (place / _OWNER).read_bytes().decode("utf-8", "surrogatepass").partition("\n")
        return OrganizationId(organization_id), AppId(app_id)
    return None


def _places(directory: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(directory.iterdir())
    return []
