"""Searches, in one restore point and across all."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlencode

from gateway.access.principal import Principal
from gateway.areas.snapshots.parties import require_source, require_store
from gateway.clients.assignment import AssignmentClient
from gateway.clients.restore_index import RestoreIndexClient


@dataclass(frozen=True)
class Search:
    """Finds files. Names and paths are bytes."""

    assignment: AssignmentClient
    restore_index: RestoreIndexClient

    async def search_in(self, who: Principal, snapshot_id: str, asked: Sequence[tuple[str, bytes]]) -> bytes:
        """What a search in one restore point finds, as JSON."""
        return await self.restore_index.in_restore_point(who, snapshot_id, f"search?{urlencode(asked)}")

    async def search(
        self, who: Principal, asked: Sequence[tuple[str, bytes]], *, source_id: str | None, store_id: str | None
    ) -> bytes:
        """What a search across restore points finds, as JSON. Raises `NotFound` for no such source or store."""
        ids = {"source_id": source_id, "store_id": store_id}
        chosen = [(name, app_id) for name, app_id in ids.items() if app_id is not None]
        apps = [] if store_id is None else [require_store(self.assignment, who, store_id)]
        apps += [] if source_id is None else [require_source(self.assignment, self.restore_index, who, source_id)]
        search = self.restore_index.in_all_restore_points(who, f"search?{urlencode([*asked, *chosen])}")
        # All at once, as each is a hop; an unknown connector is refused, rather than answered with nothing found.
        *checks, found = await asyncio.gather(*apps, search, return_exceptions=True)
        for answer in (*checks, found):
            if isinstance(answer, BaseException):
                raise answer
        return cast("bytes", found)
