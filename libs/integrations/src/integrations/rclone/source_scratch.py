"""A private directory per source app, kept from run to run and used by one run at a time."""

import asyncio
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO

from contracts.values import AppId, OrganizationId

from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.errors import Cancelled
from integrations.sdk.job_log import OnLog

SOURCES = "sources"
LOCK = ".lock"
_ASK_AGAIN_SECONDS = 0.5


@asynccontextmanager
async def open_scratch(
    work_dir: Path, configuration: AppConfiguration, *, on_log: OnLog, cancel: asyncio.Event
) -> AsyncIterator[Path]:
    """The app's directory, locked against other runs, also of other processes. Raises `Cancelled` while waiting."""
    place = work_dir / SOURCES / _name(configuration)
    _make_private(work_dir, place.parent)
    # The lock is beside the directory, not in it: the clean-up removes the directory while it holds the lock.
    with await _lock(place.with_name(f"{place.name}{LOCK}"), on_log, cancel) as lock:
        _write_owner(lock, configuration)
        _make_private(place)
        yield place


@contextmanager
def lock_now(path: Path) -> Iterator[IO[str] | None]:
    """The lock of a scratch directory, held until the context is left; None while another run has it."""
    with path.open("a+") as lock:
        yield lock if _try_lock(lock, path) else None


def read_owner(lock: IO[str]) -> tuple[OrganizationId, AppId] | None:
    """Whose scratch directory a lock is for; None where that was never written."""
    lock.seek(0)
    organization_id, _, app_id = lock.read().partition("\n")
    return (OrganizationId(organization_id), AppId(app_id)) if app_id else None


async def _lock(path: Path, on_log: OnLog, cancel: asyncio.Event) -> IO[str]:
    is_logged = False
    while True:
        lock = path.open("a+")
        if _try_lock(lock, path):
            return lock
        lock.close()
        if cancel.is_set():
            raise Cancelled
        if not is_logged:
            on_log("info", "waiting for another run that reads the same source")
            is_logged = True
        await asyncio.sleep(_ASK_AGAIN_SECONDS)


def _try_lock(lock: IO[str], path: Path) -> bool:
    """False also when the file was removed before it was locked."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # A file that was removed before it was locked guards nothing any more.
        return os.path.samestat(os.fstat(lock.fileno()), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _write_owner(lock: IO[str], configuration: AppConfiguration) -> None:
    lock.truncate(0)
    lock.write(f"{configuration.organization_id}\n{configuration.app_id}")
    lock.flush()


def _make_private(*places: Path) -> None:
    for place in places:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chmod(places[-1], 0o700)  # noqa: PTH101


def _name(configuration: AppConfiguration) -> str:
    """The id as it is where it can be the name of a directory, else its hash."""
    text = configuration.app_id
    plain = text.replace("-", "").isalnum() and text.isascii() and len(text) <= 64
    return text if plain else hashlib.sha256(text.encode()).hexdigest()
