"""Keeping the worker's machine free of what removed apps left there: contents of sources and tables of stores' blobs
lie there in clear."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from chassis.persistence.mongo import PyMongoError
from chassis.runtime.supervision import Background
from contracts.errors import CairnError
from contracts.values import AppId, OrganizationId
from integrations.object_storage.clean_up import sweep

from connector.store import Store
from connector.stores.blob_tables import sweep_blob_tables

log = logging.getLogger(__name__)
TIDY_SECONDS = 600.0


class CacheCleanUp:
    """Sweeps at the start, when it is told that an app was removed, and every now and then: another worker may have
    been told."""

    def __init__(self, store: Store, work_dir: Path) -> None:
        self._store = store
        self._work_dir = work_dir
        self._bell = asyncio.Event()

    def wake(self) -> None:
        """An app was removed."""
        self._bell.set()

    @asynccontextmanager
    async def tidying(self, background: Background) -> AsyncIterator[None]:
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
            self._bell.clear()
            try:
                await self.sweep()
            except (CairnError, PyMongoError, OSError) as error:
                log.warning("scratch directories not swept", extra={"reason": type(error).__name__})
            with suppress(TimeoutError):
                async with asyncio.timeout(TIDY_SECONDS):
                    await self._bell.wait()
