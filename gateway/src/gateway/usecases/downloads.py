"""Taking files out of restore points: one, or many in an archive. The workers read them; here is decided from where."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote, quote_from_bytes

import orjson
from chassis.http.server import FILE_REFUSALS
from chassis.http.transport import Answer
from chassis.telemetry.tracing import span
from contracts.errors import CairnError
from contracts.messages.restore_index import LOSSES

from gateway.domain.links import Format
from gateway.usecases.owners import KnownRestorePoint, Owners, path_query
from gateway.usecases.visitors import Visitor

REFUSED = frozenset(FILE_REFUSALS)


class Stream(NamedTuple):
    """Bytes as a worker sends them, and the store that they come from."""

    answer: Answer
    store_id: str


Noticed = Callable[[str], None]
"""Is told the likeliest store before anything is asked of it."""


@dataclass(frozen=True)
class Downloads:
    """Paths are bytes, as file names are. Stores may share a repository: the first one that can be read is used."""

    owners: Owners

    @asynccontextmanager
    async def file(
        self,
        who: Visitor,
        snapshot_id: str,
        path: bytes,
        *,
        method: str,
        headers: Mapping[str, str],
        notice: Noticed,
    ) -> AsyncIterator[Stream]:
        """One file; a 412 or 416 comes as what it is."""

        def ask(point: KnownRestorePoint) -> AbstractAsyncContextManager[Answer]:
            return self.owners.connector.stream(
                f"{_place(point)}/content?{path_query(path)}",
                who.caller(),
                method=method,
                headers={"accept-encoding": "identity", **headers},
                expected=REFUSED,
            )

        with span("gateway.open_file"):
            points = await self.owners.same_restore_points(who, snapshot_id)
            notice(points[0].store_id)
        async with _first(points, ask) as stream:
            yield stream

    @asynccontextmanager
    async def look(
        self, who: Visitor, snapshot_id: str, path: bytes, *, headers: Mapping[str, str]
    ) -> AsyncIterator[Answer]:
        """What is told of a file before its bytes."""
        opened = self.file(who, snapshot_id, path, method="HEAD", headers=headers, notice=lambda _: None)
        async with opened as stream:
            yield stream.answer

    @asynccontextmanager
    async def archive(
        self, who: Visitor, snapshot_id: str, paths: Sequence[bytes], form: Format, *, notice: Noticed
    ) -> AsyncIterator[Stream]:
        """Many files in one archive. Raises `restore_point_not_browsable` while the restore point is being indexed.

        Of a damaged one that is sent which can be read; else `restore_point_damaged` is raised.
        """
        body = orjson.dumps({"paths": quoted(paths), "format": form})

        def ask(point: KnownRestorePoint) -> AbstractAsyncContextManager[Answer]:
            headers = {"accept-encoding": "identity", "content-type": "application/json"}
            return self.owners.connector.stream(
                f"{_place(point)}/archive", who.caller(), method="POST", headers=headers, content=body
            )

        points = await self._readable(who, snapshot_id)
        notice(points[0].store_id)
        async with _first(points, ask) as stream:
            yield stream

    async def is_one_file(self, who: Visitor, snapshot_id: str, paths: Sequence[bytes]) -> bool:
        """Whether a selection is one file and nothing else. Raises what its archive would be refused with."""
        refusals: list[CairnError] = []
        points = await self._readable(who, snapshot_id)
        for point in points:
            question = {"paths": quoted(paths)}
            try:
                answer: dict[str, Any] = await self.owners.connector.post(
                    f"{_place(point)}/selection", who.caller(), question
                )
                return bool(answer["one_file"])
            except CairnError as error:
                refusals.append(error)
        raise most_telling(refusals, points)

    async def _readable(self, who: Visitor, snapshot_id: str) -> list[KnownRestorePoint]:
        """Those that can be browsed, then those that are damaged: not all of it need be lost."""
        points = await self.owners.same_restore_points(who, snapshot_id)
        if readable := [point for point in points if point.browsable or point.damage]:
            return readable
        raise points[0].refusal


def quoted(paths: Sequence[bytes]) -> list[str]:
    """Paths as texts that keep every byte."""
    return [quote_from_bytes(path) for path in paths]


def most_telling(refusals: Sequence[CairnError], points: Sequence[KnownRestorePoint] = ()) -> CairnError:
    """Why none of some stores gave a file: what one that is still there says, rather than that another is gone.

    What a restore point that is known to be damaged has lost is told as that.
    """
    told = next((r for r in refusals if r.code != "app_not_found"), refusals[0])
    known = next((point for point in points if point.state == "damaged"), None)
    return known.refusal if known and told.code in LOSSES else told


@asynccontextmanager
async def _first(
    points: Sequence[KnownRestorePoint],
    ask: Callable[[KnownRestorePoint], AbstractAsyncContextManager[Answer]],
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


def _place(point: KnownRestorePoint) -> str:
    return f"/internal/stores/{quote(point.store_id, safe='')}/snapshots/{quote(point.snapshot_id, safe='')}"
