"""A private directory per source app, kept from run to run and used by one run at a time."""

import asyncio
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from connector.engine.port import OnLog
from connector.integrations.configuration import AppConfiguration
from connector.integrations.errors import Cancelled

_ASK_AGAIN_SECONDS = 0.5


@asynccontextmanager
async def open_scratch(
    work_dir: Path, configuration: AppConfiguration, *, on_log: OnLog, cancel: asyncio.Event
) -> AsyncIterator[Path]:
    """The app's directory, locked against other runs, also of other processes. Raises `Cancelled` while waiting."""
    place = work_dir / "sources" / _name(configuration)
    _make_private(work_dir, place.parent, place)
    with (place.parent / f"{place.name}.lock").open("w") as lock:
        await _lock(lock, on_log, cancel)
        yield place


async def _lock(lock: IO[str], on_log: OnLog, cancel: asyncio.Event) -> None:
    told = False
    while not _try_lock(lock):
        if cancel.is_set():
            raise Cancelled
        if not told:
            on_log("info", "waiting for another run that reads the same source")
            told = True
        await asyncio.sleep(_ASK_AGAIN_SECONDS)


def _try_lock(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _make_private(*places: Path) -> None:
    for place in places:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chmod(places[-1], 0o700)  # noqa: PTH101


def _name(configuration: AppConfiguration) -> str:
    """The id as it is where it can be the name of a directory, else its hash."""
    text = configuration.app_id
    plain = text.replace("-", "").isalnum() and text.isascii() and len(text) <= 64
    return text if plain else hashlib.sha256(text.encode()).hexdigest()
