"""The files in a restore point, as the index knows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from gateway.access.principal import Principal
from gateway.clients.base import path_query
from gateway.clients.restore_index import RestoreIndexClient


@dataclass(frozen=True)
class Files:
    """Directories and files in a restore point. Paths are bytes, as file names are."""

    restore_index: RestoreIndexClient

    async def list(self, who: Principal, snapshot_id: str, path: bytes, asked: Mapping[str, str]) -> bytes:
        """A page of a directory, as JSON. Of what is asked, empty texts are left out."""
        asked = {name: text for name, text in asked.items() if text}
        return await self.restore_index.in_restore_point(
            who, snapshot_id, f"files?{path_query(path)}&{urlencode(asked)}"
        )

    async def show(self, who: Principal, snapshot_id: str, path: bytes) -> bytes:
        """What is known of one file or directory, as JSON."""
        return await self.restore_index.in_restore_point(who, snapshot_id, f"entry?{path_query(path)}")
