"""Restore points: the index knows them and their directories, the workers read their files."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import quote, quote_from_bytes, urlencode

from chassis.errors import CairnError
from chassis.http import Answer
from chassis.telemetry import span
from chassis.web import FILE_REFUSALS

from gateway.usecases.owners import KnownRestorePoint, Owners
from gateway.usecases.visitors import Visitor

REFUSED = frozenset(FILE_REFUSALS)


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
        return await self.owners.in_restore_point(who, snapshot_id, f"files?{_path(path)}&{urlencode(asked)}")

    async def entry(self, who: Visitor, snapshot_id: str, path: bytes) -> bytes:
        """What is known of one file or directory, as JSON."""
        return await self.owners.in_restore_point(who, snapshot_id, f"entry?{_path(path)}")

    @asynccontextmanager
    async def content(
        self, who: Visitor, snapshot_id: str, path: bytes, *, method: str, headers: Mapping[str, str]
    ) -> AsyncIterator[Answer]:
        """One file, as the worker streams it; a 412 or 416 comes as what it is.

        Stores may share a repository: the first one that can be read is used.
        """
        refusals: list[CairnError] = []
        async with AsyncExitStack() as opened:
            with span("gateway.open_file"):
                for point in await self.owners.same_restore_points(who, snapshot_id):
                    stream = self._stream(who, point, path, method=method, headers=headers)
                    try:
                        answer = await opened.enter_async_context(stream)
                        break
                    except CairnError as error:
                        refusals.append(error)
                else:
                    raise most_telling(refusals)
            yield answer

    def _stream(
        self, who: Visitor, point: KnownRestorePoint, path: bytes, *, method: str, headers: Mapping[str, str]
    ) -> AbstractAsyncContextManager[Answer]:
        place = f"/internal/stores/{quote(point.store_id, safe='')}/snapshots/{quote(point.snapshot_id, safe='')}"
        return self.owners.connector.stream(
            f"{place}/content?{_path(path)}",
            who.caller(),
            method=method,
            headers={"accept-encoding": "identity", **headers},
            expected=REFUSED,
        )


def _path(path: bytes) -> str:
    return f"path={quote_from_bytes(path, safe='')}"


def most_telling(refusals: Sequence[CairnError]) -> CairnError:
    """Why none of some stores gave a file: what one that is still there says, rather than that another is gone."""
    return next((r for r in refusals if r.code != "app_not_found"), refusals[0])
