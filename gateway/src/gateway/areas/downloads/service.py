"""Taking files out of restore points: one, or many in an archive. The workers read them; here is decided from where."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

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

    @asynccontextmanager
    async def file(
        self,
        who: Principal,
        snapshot_id: str,
        path: bytes,
        *,
        method: str,
        headers: Mapping[str, str],
        on_store: OnStore,
    ) -> AsyncIterator[Stream]:
        """One file; a 412 or 416 comes as what it is."""

        def ask(point: IndexedRestorePoint) -> AbstractAsyncContextManager[Answer]:
            return self.workers.file(who, point, path, method=method, headers=headers)

        with span("gateway.open_file"):
            points = await self.restore_index.same_restore_points(who, snapshot_id)
            on_store(points[0].store_id)
        async with _first(points, ask) as stream:
            yield stream

    @asynccontextmanager
    async def look(
        self, who: Principal, snapshot_id: str, path: bytes, *, headers: Mapping[str, str]
    ) -> AsyncIterator[Answer]:
        """What is told of a file before its bytes."""
        opened = self.file(who, snapshot_id, path, method="HEAD", headers=headers, on_store=lambda _: None)
        async with opened as stream:
            yield stream.answer

    @asynccontextmanager
    async def archive(
        self, who: Principal, snapshot_id: str, paths: Sequence[bytes], form: Format, *, on_store: OnStore
    ) -> AsyncIterator[Stream]:
        """Many files in one archive. Raises `restore_point_not_browsable` while the restore point is being indexed.

        Of a damaged one that is sent which can be read; else `restore_point_damaged` is raised.
        """

        def ask(point: IndexedRestorePoint) -> AbstractAsyncContextManager[Answer]:
            return self.workers.archive(who, point, paths, form)

        points = await self._readable(who, snapshot_id)
        on_store(points[0].store_id)
        async with _first(points, ask) as stream:
            yield stream

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

    What a restore point that is known to be damaged has lost is told as that.
    """
    told = next((r for r in refusals if r.code != "app_not_found"), refusals[0])
    known = next((point for point in points if point.state == "damaged"), None)
    return refusal(known) if known and told.code in LOSSES else told


@asynccontextmanager
async def _first(
    points: Sequence[IndexedRestorePoint],
    ask: Callable[[IndexedRestorePoint], AbstractAsyncContextManager[Answer]],
) -> AsyncIterator[Stream]:
    refusals: list[CairnError] = []
    async with AsyncExitStack() as opened:
        with span("gateway.open_stream"):
            for point in points:
                try:
                    stream = Stream(await opened.enter_async_context(ask(point)), point.store_id)
                    break
                except CairnError as error:
                    refusals.append(error)
            else:
                raise most_telling(refusals, points)
        yield stream
