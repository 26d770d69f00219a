"""What workers read in stores."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote, quote_from_bytes

import orjson
from chassis.http.client import ServiceClient
from chassis.http.server import FILE_REFUSALS
from chassis.http.transport import Answer
from contracts.messages.connector import StoreLock
from contracts.messages.restore_index import RestorePoint

from gateway.access.principal import Principal
from gateway.clients.base import path_query, segment

_REFUSED = frozenset(FILE_REFUSALS)


@dataclass(frozen=True)
class ConnectorClient:
    """What workers read in stores. Unknown and foreign ids raise `NotFound`, silence `Unavailable`."""

    service: ServiceClient

    async def store_locks(self, who: Principal, store_id: str) -> list[StoreLock]:
        """Who holds a store, as a worker reads it there."""
        answer = await self.service.get(f"/internal/stores/{segment(store_id, missing='app')}/locks", who.caller())
        return [StoreLock.model_validate(each) for each in answer["items"]]

    def file(
        self, who: Principal, point: RestorePoint, path: bytes, *, method: str, headers: Mapping[str, str]
    ) -> AbstractAsyncContextManager[Answer]:
        """One file, whole or in part; a 412 or 416 comes as what it is."""
        return self.service.stream(
            f"{_path_of(point)}/content?{path_query(path)}",
            who.caller(),
            method=method,
            headers={"accept-encoding": "identity", **headers},
            expected=_REFUSED,
        )

    def archive(
        self, who: Principal, point: RestorePoint, paths: Sequence[bytes], form: str
    ) -> AbstractAsyncContextManager[Answer]:
        """Many files in one archive."""
        return self.service.stream(
            f"{_path_of(point)}/archive",
            who.caller(),
            method="POST",
            headers={"accept-encoding": "identity", "content-type": "application/json"},
            content=orjson.dumps({"paths": quoted(paths), "format": form}),
        )

    async def is_one_file(self, who: Principal, point: RestorePoint, paths: Sequence[bytes]) -> bool:
        """Whether all paths mean one file. Raises what their archive would be refused with."""
        question = {"paths": quoted(paths)}
        answer: dict[str, Any] = await self.service.post(f"{_path_of(point)}/selection", who.caller(), question)
        return bool(answer["one_file"])


def quoted(paths: Sequence[bytes]) -> list[str]:
    """Paths as texts that keep every byte."""
    return [quote_from_bytes(path) for path in paths]


def _path_of(point: RestorePoint) -> str:
    return f"/internal/stores/{quote(point.store_id, safe='')}/snapshots/{quote(point.snapshot_id, safe='')}"


class Stream(NamedTuple):
    """Bytes as a worker sends them, and the store that they come from."""

    answer: Answer
    store_id: str


OnStore = Callable[[str], None]
"""Is told the likeliest store before anything is asked of it."""
