"""Fifty people who browse at once, first alone, then while the index is being filled."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from urllib.parse import quote

import uvloop
from chassis.http.client import open_http
from chassis.http.transport import Http

from tests.benchmarks.bench import Bench
from tests.benchmarks.restore_points import INDEXED_WITHIN_SECONDS, IndexedStore
from tests.benchmarks.result import Result, median, percentile
from tests.support.waiting import eventually

PEOPLE, THINKING_SECONDS, ALONE_SECONDS, RUNS = 50, 1.0, 20.0, 5
WARM_UP = 4
BUSY_ENTRIES = 300_000


class People:
    """Each opens a directory, looks at it for a while, and opens another."""

    def __init__(self, http: Http, *, url: str, token: str, paths: Sequence[str]) -> None:
        self._http, self._url, self._paths = http, url, paths
        self._headers = {"authorization": f"Bearer {token}"}

    async def browse(self, until: Callable[[], Awaitable[None]]) -> list[float]:
        """Milliseconds of each request that began while something goes on."""
        took: list[float] = []
        people = [asyncio.create_task(self._one(random.Random(number), took)) for number in range(PEOPLE)]
        try:
            await until()
        finally:
            for person in people:
                person.cancel()
            await asyncio.gather(*people, return_exceptions=True)
        for person in people:
            if not person.cancelled() and (error := person.exception()):
                raise error
        return took

    async def _one(self, chance: random.Random, took: list[float]) -> None:
        while True:
            await asyncio.sleep(chance.uniform(0, 2 * THINKING_SECONDS))
            began = time.perf_counter()
            await self.open(chance.choice(self._paths))
            took.append((time.perf_counter() - began) * 1000)

    async def open(self, path: str) -> None:
        """Open a directory."""
        async with self._http.stream("GET", f"{self._url}/api/v1{path}", headers=self._headers) as answer:
            body = await answer.aread()
        if answer.status_code != 200:
            raise RuntimeError(f"{path} was answered with {answer.status_code}: {body[:500]!r}")


def browse_under_index(big: IndexedStore) -> Result:
    """The 99th percentile of opening a directory while a store is being adopted, beside that of an idle platform."""
    busy = IndexedStore(big.bench, "busy", entries=BUSY_ENTRIES)
    paths = [f"/snapshots/{big.snapshot}/files?path={quote(d, safe='')}&limit=500" for d in big.directories]
    alone, loaded, seconds = uvloop.run(_measure(big.bench, paths, busy))
    p99, idle = percentile(loaded, 0.99), percentile(alone, 0.99)
    return Result(
        "browse_under_index", p99, "ms", "within 5x of idle", peer="idle", peer_value=idle, p50=median(loaded), p99=p99,
        baseline=big.bench.baseline.get,
        detail=f"p99 loaded / p99 idle = {p99 / idle:.1f}; {PEOPLE} people who think for {THINKING_SECONDS:g} s "
        f"between directories of 99 entries; {len(alone)} requests idle (p50 {median(alone):.1f} ms), {len(loaded)} in "
        f"{seconds:.0f} s while {busy.entries} entries were indexed {RUNS} times",
    )  # fmt: skip


async def _measure(bench: Bench, paths: Sequence[str], busy: IndexedStore) -> tuple[list[float], list[float], float]:
    async with open_http() as http:
        people = People(http, url=bench.status()["gateway"], token=bench.bearer_token(), paths=paths)
        for path in paths[:WARM_UP]:
            await people.open(path)
        alone = await people.browse(lambda: asyncio.sleep(ALONE_SECONDS))
        stores = [bench.connector(busy.api, "store", busy.repository) for _ in range(RUNS)]
        began = time.perf_counter()
        loaded = await people.browse(lambda: asyncio.to_thread(_adopt_all, busy, stores))
        return alone, loaded, time.perf_counter() - began


def _adopt_all(busy: IndexedStore, stores: Sequence[str]) -> None:
    """Adopt the same repository as one store after the other: of a new store nothing is known."""
    for store in stores:
        busy.api.post(f"/connectors/{store}/stores/create")
        eventually(partial(_is_indexed, busy, store), INDEXED_WITHIN_SECONDS)


def _is_indexed(busy: IndexedStore, store: str) -> bool:
    return any(point["browsable"] for point in busy.api.snapshots(store))
