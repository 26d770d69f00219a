"""Downloads from restore points: one file, or many in an archive. Chooses the store from which workers read them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from chassis.http.transport import Answer
from chassis.telemetry.tracing import span
from contracts.errors import CairnError
from contracts.messages.restore_index import LOSSES
from contracts.queries.restore_index import IndexedRestorePoint

from gateway.access.principal import Principal
from gateway.areas.links.tokens import Format
from gateway.clients.connector import ConnectorClient, OnStore, Stream
from gateway.clients.restore_index import RestoreIndexClient, refusal


@dataclass(frozen=True)
class Downloads:
    """Paths are bytes, as file names are. Stores may share a repository: the first one that can be read is used."""

    restore_index: RestoreIndexClient
    workers: ConnectorClient

    def file(
        self,
        who: Principal,
        snapshot_id: str,
        path: bytes,
        *,
        method: str,
        headers: Mapping[str, str],
        on_store: OnStore,
    ) -> AbstractAsyncContextManager[Stream]:
        """One file; a 412 or 416 comes as what it is."""
        return _first(
            # Also while the restore point is being indexed: a file is read from the store, by its path alone.
            partial(self.restore_index.same_restore_points, who, snapshot_id),
            lambda point: self.workers.file(who, point, path, method=method, headers=headers),
            on_store,
        )

    @asynccontextmanager
    async def file_headers(
        self, who: Principal, snapshot_id: str, path: bytes, *, headers: Mapping[str, str]
    ) -> AsyncIterator[Answer]:
        """The headers that the download of a file would have."""
        # No store to note: only a download is written to the audit log.
        opened = self.file(who, snapshot_id, path, method="HEAD", headers=headers, on_store=lambda _: None)
        async with opened as stream:
            yield stream.answer

    def archive(
        self, who: Principal, snapshot_id: str, paths: Sequence[bytes], form: Format, *, on_store: OnStore
    ) -> AbstractAsyncContextManager[Stream]:
        """Many files in one archive. Raises `restore_point_not_browsable` while the restore point is being indexed.

        Of a damaged one that is sent which can be read; else `restore_point_damaged` is raised.
        """
        return _first(
            partial(self._readable, who, snapshot_id),
            lambda point: self.workers.archive(who, point, paths, form),
            on_store,
        )

    async def is_one_file(self, who: Principal, snapshot_id: str, paths: Sequence[bytes]) -> bool:
        """Whether a selection is one file and nothing else. Raises what its archive would be refused with."""
        refusals: list[CairnError] = []
        points = await self._readable(who, snapshot_id)
        for point in points:
            try:
                return await self.workers.is_one_file(who, point, paths)
            # Stores may share a repository: another one may still be readable.
            except CairnError as error:
                refusals.append(error)
        raise most_telling(refusals, points)

    async def _readable(self, who: Principal, snapshot_id: str) -> Sequence[IndexedRestorePoint]:
        """Those that can be browsed, then those that are damaged: not all of it need be lost."""
        points = await self.restore_index.same_restore_points(who, snapshot_id)
        if readable := [point for point in points if point.browsable or point.damage]:
            return readable
        raise refusal(points[0])


def most_telling(refusals: Sequence[CairnError], points: Sequence[IndexedRestorePoint] = ()) -> CairnError:
    """Why none of some stores gave a file: what one that is still there says, rather than that another is gone.

    What a restore point that is known to be damaged has lost is refused as that damage.
    """
    refused = next((r for r in refusals if r.code != "app_not_found"), refusals[0])
    known = next((point for point in points if point.state == "damaged"), None)
    return refusal(known) if known and refused.code in LOSSES else refused


@asynccontextmanager
async def _first(
    find: Callable[[], Awaitable[Sequence[IndexedRestorePoint]]],
    ask: Callable[[IndexedRestorePoint], AbstractAsyncContextManager[Answer]],
    on_store: OnStore,
) -> AsyncIterator[Stream]:
    """What is asked of a restore point, from the first of its stores that gives it."""
    refusals: list[CairnError] = []
    async with AsyncExitStack() as opened:
        # Ends before the bytes are passed on: how long a download takes says how fast its client is.
        with span("gateway.open_stream"):
            points = await find()
            on_store(points[0].store_id)
            for point in points:
                try:
                    stream = Stream(await opened.enter_async_context(ask(point)), point.store_id)
                    break
                except CairnError as error:
                    refusals.append(error)
            else:
                raise most_telling(refusals, points)
        yield stream
