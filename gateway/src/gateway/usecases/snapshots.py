"""Restore points and their directories, as the index knows them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlencode

from gateway.usecases.owners import KnownRestorePoint, Owners, path_query
from gateway.usecases.visitors import Visitor


@dataclass(frozen=True)
class Snapshots:
    """What can be done with restore points. Paths are bytes, as file names are."""

    owners: Owners

    async def of_store(self, who: Visitor, store_id: str) -> list[KnownRestorePoint]:
        """All restore points of a store, newest first. Raises `NotFound` when there is no such connector."""
        store = await self.owners.app(who, store_id)
        return await self.owners.restore_points(who, store.id)

    async def files(self, who: Visitor, snapshot_id: str, path: bytes, asked: Mapping[str, str]) -> bytes:
        """A page of a directory, as JSON. Of what is asked, empty texts are left out."""
        asked = {name: text for name, text in asked.items() if text}
        return await self.owners.in_restore_point(who, snapshot_id, f"files?{path_query(path)}&{urlencode(asked)}")

    async def entry(self, who: Visitor, snapshot_id: str, path: bytes) -> bytes:
        """What is known of one file or directory, as JSON."""
        return await self.owners.in_restore_point(who, snapshot_id, f"entry?{path_query(path)}")

    async def search_in(self, who: Visitor, snapshot_id: str, asked: Sequence[tuple[str, bytes]]) -> bytes:
        """What a search in one restore point finds, as JSON."""
        return await self.owners.in_restore_point(who, snapshot_id, f"search?{urlencode(asked)}")

    async def search(
        self, who: Visitor, asked: Sequence[tuple[str, bytes]], *, source_id: str | None, store_id: str | None
    ) -> bytes:
        """What a search across restore points finds, as JSON. Raises `NotFound` when there is no such connector."""
        ids = {"source_id": source_id, "store_id": store_id}
        chosen = [(name, app_id) for name, app_id in ids.items() if app_id is not None]
        apps = [self.owners.app(who, app_id) for _, app_id in chosen]
        search = self.owners.in_all_restore_points(who, f"search?{urlencode([*asked, *chosen])}")
        *checks, found = await asyncio.gather(*apps, search, return_exceptions=True)
        for answer in (*checks, found):
            if isinstance(answer, BaseException):
                raise answer
        return cast("bytes", found)
