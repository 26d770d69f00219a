"""Restore points: the index knows them and their directories, the workers read their files."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import quote, quote_from_bytes

import httpx
from chassis.telemetry import span

from gateway.usecases.owners import KnownRestorePoint, Owners
from gateway.usecases.visitors import Visitor

REFUSED_RANGES = frozenset({412, 416})


@dataclass(frozen=True)
class Snapshots:
    """What can be done with restore points. Paths are bytes, as file names are."""

    owners: Owners

    async def of_store(self, who: Visitor, store_id: str) -> list[KnownRestorePoint]:
        """All restore points of a store, newest first. Raises `NotFound` when there is no such connector."""
        store = await self.owners.app(who, store_id)
        return await self.owners.restore_points(who, store.id)

    async def files(self, who: Visitor, snapshot_id: str, path: bytes, *, limit: int, cursor: str) -> dict[str, object]:
        """A page of a directory."""
        query = f"path={quote_from_bytes(path, safe='')}&limit={limit}"
        if cursor:
            query += f"&cursor={quote(cursor, safe='')}"
        return await self.owners.files(who, snapshot_id, query)

    @asynccontextmanager
    async def content(
        self, who: Visitor, snapshot_id: str, path: bytes, *, method: str, headers: Mapping[str, str]
    ) -> AsyncIterator[httpx.Response]:
        """One file, as the worker streams it; a 412 or 416 comes as what it is."""
        with span("gateway.open_file"):
            point = await self.owners.restore_point(who, snapshot_id)
            place = f"/internal/stores/{quote(point.store_id, safe='')}/snapshots/{quote(snapshot_id, safe='')}/content"
            stream = self.owners.connector.stream(
                f"{place}?path={quote_from_bytes(path, safe='')}",
                who.caller(),
                method=method,
                headers={"accept-encoding": "identity", **headers},
                expected=REFUSED_RANGES,
            )
            async with stream as answer:
                yield answer
