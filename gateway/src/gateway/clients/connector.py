"""What workers read in stores."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote

from chassis.http.client import ServiceClient
from chassis.http.problem_responses import FILE_PROBLEMS
from chassis.http.transport import Answer
from contracts.errors import Forbidden, TemporaryError
from contracts.messages.connector.stores import StoreLock
from contracts.messages.restore_index import RestorePoint
from contracts.queries.base import Listing
from contracts.queries.connector import ArchiveFormat, ArchiveQuestion, Selection, SelectionQuestion, quoted
from contracts.topics import DEFAULT_POOL

from gateway.access.principal import Principal
from gateway.clients.assignment import AssignmentClient
from gateway.clients.base import path_query, segment
from gateway.clients.pools import pool_of

# Answers about the conditions of a request: passed on with their headers, not turned into errors.
_REFUSED = frozenset(FILE_PROBLEMS)


@dataclass(frozen=True)
class ConnectorClient:
    """What workers read in stores. Unknown and foreign ids raise `NotFound`, silence `Unavailable`."""

    service: ServiceClient
    """Workers of the default pool."""
    pools: Mapping[str, ServiceClient]
    """Workers of other pools, by the name of the pool."""
    assignment: AssignmentClient

    async def _workers_for(self, who: Principal, store_id: str) -> ServiceClient:
        """Workers that reach a store. Nobody is asked for them where there is only one pool."""
        if not self.pools:
            return self.service
        return self._workers_of(pool_of(await self.assignment.app(who, store_id)))

    def _workers_of(self, pool: str) -> ServiceClient:
        if pool == DEFAULT_POOL:
            return self.service
        if pool not in self.pools:
            detail = f"The gateway has no address of the workers of pool {pool!r}, which reaches this store."
            # Temporary: the pool is there, as it announced itself; its address is still missing in the settings.
            raise TemporaryError("pool_unreachable", detail)
        return self.pools[pool]

    @asynccontextmanager
    async def _explained(self, who: Principal, store_id: str) -> AsyncIterator[None]:
        """Turns a worker's refusal into `pool_unreachable` where only workers without an address reach the store."""
        try:
            yield
        except Forbidden:
            # Asked only now: where the settings name no pool, a download must not wait for one more service.
            self._workers_of(pool_of(await self.assignment.app(who, store_id)))
            raise

    async def store_locks(self, who: Principal, store_id: str) -> Sequence[StoreLock]:
        """Who holds a store, as a worker reads it there."""
        workers = await self._workers_for(who, store_id)
        async with self._explained(who, store_id):
            answer = await workers.get(f"/internal/stores/{segment(store_id, missing='app')}/locks", who.caller())
        return Listing[StoreLock].model_validate(answer).items

    def file(
        self, who: Principal, point: RestorePoint, path: bytes, *, method: str, headers: Mapping[str, str]
    ) -> AbstractAsyncContextManager[Answer]:
        """One file, whole or in part; a 412 or 416 comes as what it is."""
        return self._stream(who, point, f"content?{path_query(path)}", method=method, headers=headers)

    def archive(
        self, who: Principal, point: RestorePoint, paths: Sequence[bytes], form: ArchiveFormat
    ) -> AbstractAsyncContextManager[Answer]:
        """Many files in one archive."""
        # By POST: the selection may be larger than any server takes in an address.
        question = ArchiveQuestion(paths=quoted_paths(paths), format=form).model_dump_json().encode()
        headers = {"content-type": "application/json"}
        return self._stream(who, point, "archive", method="POST", headers=headers, content=question)

    @asynccontextmanager
    async def _stream(
        self,
        who: Principal,
        point: RestorePoint,
        question: str,
        *,
        method: str,
        headers: Mapping[str, str],
        content: bytes = b"",
    ) -> AsyncIterator[Answer]:
        """What a worker that reaches the store sends of a restore point, while it sends it."""
        workers = await self._workers_for(who, point.store_id)
        stream = workers.stream(
            f"{_path_of(point)}/{question}",
            who.caller(),
            method=method,
            # Ranges count the bytes of the file, so nothing on the way may compress them.
            headers={"accept-encoding": "identity", **headers},
            content=content,
            expected=_REFUSED,
        )
        async with AsyncExitStack() as opened:
            async with self._explained(who, point.store_id):
                answer = await opened.enter_async_context(stream)
            yield answer

    async def is_one_file(self, who: Principal, point: RestorePoint, paths: Sequence[bytes]) -> bool:
        """Whether all paths mean one file. Raises what their archive would be refused with."""
        question = SelectionQuestion(paths=quoted_paths(paths)).model_dump(mode="json")
        workers = await self._workers_for(who, point.store_id)
        async with self._explained(who, point.store_id):
            answer = await workers.post(f"{_path_of(point)}/selection", who.caller(), question)
        return Selection.model_validate(answer).one_file


def quoted_paths(paths: Sequence[bytes]) -> tuple[str, ...]:
    """Paths as texts that keep every byte."""
    return tuple(map(quoted, paths))


def _path_of(point: RestorePoint) -> str:
    return f"/internal/stores/{quote(point.store_id, safe='')}/snapshots/{quote(point.snapshot_id, safe='')}"


class Stream(NamedTuple):
    """Bytes as a worker sends them, and the store that they come from."""

    answer: Answer
    store_id: str


OnStore = Callable[[str], None]
"""Called with the likeliest store before anything is asked of it."""
