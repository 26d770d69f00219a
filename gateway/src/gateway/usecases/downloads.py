"""Taking files out of restore points: one, or many in an archive. The workers read them; here is decided from where."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote, quote_from_bytes

import orjson
from chassis.errors import CairnError, TemporaryError
from chassis.http import Answer
from chassis.telemetry import span
from chassis.web import FILE_REFUSALS

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
        """Many files in one archive. Raises `restore_point_not_browsable` while the restore point is being indexed."""
        body = orjson.dumps({"paths": quoted(paths), "format": form})

        def ask(point: KnownRestorePoint) -> AbstractAsyncContextManager[Answer]:
            headers = {"accept-encoding": "identity", "content-type": "application/json"}
            return self.owners.connector.stream(
                f"{_place(point)}/archive", who.caller(), method="POST", headers=headers, content=body
            )

        points = await self._browsable(who, snapshot_id)
        notice(points[0].store_id)
        async with _first(points, ask) as stream:
            yield stream

    async def is_one_file(self, who: Visitor, snapshot_id: str, paths: Sequence[bytes]) -> bool:
        """Whether a selection is one file and nothing else. Raises what its archive would be refused with."""
        refusals: list[CairnError] = []
        for point in await self._browsable(who, snapshot_id):
            question = {"paths": quoted(paths)}
            try:
                answer: dict[str, Any] = await self.owners.connector.post(
                    f"{_place(point)}/selection", who.caller(), question
                )
                return bool(answer["one_file"])
            except CairnError as error:
                refusals.append(error)
        raise most_telling(refusals)

    async def _browsable(self, who: Visitor, snapshot_id: str) -> list[KnownRestorePoint]:
        points = await self.owners.same_restore_points(who, snapshot_id)
        if browsable := [point for point in points if point.browsable]:
            return browsable
        raise TemporaryError("restore_point_not_browsable", "The restore point is still being indexed; try again soon.")


def quoted(paths: Sequence[bytes]) -> list[str]:
    """Paths as texts that keep every byte."""
    return [quote_from_bytes(path) for path in paths]


def most_telling(refusals: Sequence[CairnError]) -> CairnError:
    """Why none of some stores gave a file: what one that is still there says, rather than that another is gone."""
    return next((r for r in refusals if r.code != "app_not_found"), refusals[0])


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
                raise most_telling(refusals)
        yield stream


def _place(point: KnownRestorePoint) -> str:
    return f"/internal/stores/{quote(point.store_id, safe='')}/snapshots/{quote(point.snapshot_id, safe='')}"
