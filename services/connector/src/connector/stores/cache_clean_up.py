"""Removes what apps that are gone left on this machine: copies of sources, and tables of the blobs of stores."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from chassis.persistence.mongo import PyMongoError
from chassis.runtime.supervision import LoopSupervisor
from contracts.errors import CairnError
from contracts.values import AppId, OrganizationId
from integrations.object_storage.clean_up import sweep

from connector.store.ports import Store
from connector.stores.blob_tables import sweep_blob_tables

log = logging.getLogger(__name__)
SWEEP_SECONDS = 600.0


class CacheCleanUp:
    """Cleans up at the start, when an app was removed, and every `SWEEP_SECONDS`."""

    # The event that an app was removed reaches one worker, whose machine need not be the one with the files: hence the
    # period. It matters because the contents of sources lie there in clear.

    def __init__(self, store: Store, work_dir: Path) -> None:
        self._store = store
        self._work_dir = work_dir
        self._wake_up = asyncio.Event()

    def wake(self) -> None:
        """An app was removed."""
        self._wake_up.set()

    @asynccontextmanager
    async def running(self, background: LoopSupervisor) -> AsyncIterator[None]:
        """Sweep in the background until the context is left."""
        async with background.running("clean-up", self._run):
            yield

    async def sweep(self) -> None:
        """Once."""
        await sweep(self._work_dir, self._is_wanted)
        await sweep_blob_tables(self._work_dir, self._is_wanted)

    async def _is_wanted(self, org: OrganizationId, app_id: AppId) -> bool:
        known = await self._store.apps.get(org, app_id)
        return known is not None and known.app is not None

    async def _run(self) -> None:
        while True:
            self._wake_up.clear()
            try:
                await self.sweep()
            except (CairnError, PyMongoError, OSError) as error:
                log.warning("scratch directories not swept", extra={"reason": type(error).__name__})
            with suppress(TimeoutError):
                async with asyncio.timeout(SWEEP_SECONDS):
                    await self._wake_up.wait()
