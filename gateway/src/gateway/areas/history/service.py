"""What became of files over time: the index knows."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from chassis.http.transport import Answer

from gateway.access.principal import Principal
from gateway.areas.snapshots.parties import require_source
from gateway.clients.assignment import AssignmentClient
from gateway.clients.base import path_query, segment
from gateway.clients.restore_index import RestoreIndexClient


@dataclass(frozen=True)
class Part:
    """Which part of a listing below a path is asked for. Paths are bytes, as file names are."""

    path: bytes
    limit: int
    cursor: str = ""

    @property
    def query(self) -> str:
        """As a query string."""
        query = f"{path_query(self.path)}&limit={self.limit}"
        return f"{query}&cursor={quote(self.cursor, safe='')}" if self.cursor else query


@dataclass(frozen=True)
class History:
    """Versions of files, and differences between restore points."""

    assignment: AssignmentClient
    restore_index: RestoreIndexClient

    async def versions(self, who: Principal, source_id: str, part: Part) -> bytes:
        """Versions of a file over all restore points of a source, as JSON. Raises `NotFound` for no such source."""
        # The index knows no connectors: of an unknown one it would answer that there is nothing.
        await require_source(self.assignment, self.restore_index, who, source_id)
        asked = urlencode({"source_id": source_id})
        return await self.restore_index.in_all_restore_points(who, f"versions?{asked}&{part.query}")

    async def changes(self, who: Principal, pair: tuple[str, str], part: Part) -> bytes:
        """A part of what differs between two restore points, as JSON."""
        return await self.restore_index.in_restore_point(who, pair[0], f"{_diff(pair)}?{part.query}")

    def all_changes(self, who: Principal, pair: tuple[str, str], path: bytes) -> AbstractAsyncContextManager[Answer]:
        """All that differs between two restore points, line by line as the index finds it."""
        question = f"{_diff(pair)}?{path_query(path)}&stream=true"
        return self.restore_index.lines_in_restore_point(who, pair[0], question)


def _diff(pair: tuple[str, str]) -> str:
    return f"diff/{segment(pair[1], missing='snapshot')}"
