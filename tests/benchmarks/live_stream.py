"""A job's change on its way to a thousand listeners, and what each of them costs the gateway."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil
import uvloop
from chassis.ids import new_id, utc_now
from chassis.messaging.envelopes import envelope
from chassis.messaging.publisher import open_publisher
from contracts.messages.scheduler import JobChanged
from contracts.values import JobId, OrganizationId, RunId

from tests.benchmarks.bench import Bench
from tests.benchmarks.platform import own_processes
from tests.benchmarks.result import Result, median, percentile
from tests.support.environment import write_key_file
from tests.support.kafka import settings_for

LISTENERS, CHANGES, PAUSE_SECONDS = 1000, 50, 0.5
OPEN_AT_ONCE = 50
IDLE_SECONDS = 2.0
KIB = 1024


class Listeners:
    """Open streams, read as they come: when each heard of each job."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._writers: list[asyncio.StreamWriter] = []
        self._reading: list[asyncio.Task[None]] = []
        self.heard: dict[str, list[float]] = {}
        self.enough = asyncio.Event()

    async def open(self, token: str) -> None:
        """One more, from when its stream has begun."""
        reader, writer = await asyncio.open_connection(self._host, self._port, limit=2**16)
        writer.write(
            f"GET /api/v1/stream?kind=job HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"a stream was answered with {head[:200]!r}")
        await reader.readuntil(b"\nid: ")
        self._writers.append(writer)
        self._reading.append(asyncio.create_task(self._read(reader)))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                line = await reader.readuntil(b"\n")
                if line.startswith(b"data: "):
                    name = line.partition(b'"job_id":"')[2].partition(b'"')[0].decode()
                    times = self.heard.setdefault(name, [])
                    times.append(time.perf_counter())
                    if len(times) == len(self._writers):
                        self.enough.set()

    async def close(self) -> None:
        """Hang up, all of them."""
        for task in self._reading:
            task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)
        for writer in self._writers:
            writer.close()


def live_stream(bench: Bench) -> Result:
    """From before a job's change is sent to Kafka until each of the listeners has read it; every half a second one."""
    took, each, after = uvloop.run(_measure(bench))
    p99 = percentile(took, 0.99)
    return Result(
        "live_stream", p99, "ms", "p99 1 s, under 64 KiB a listener", p50=median(took), p99=p99,
        baseline=bench.baseline.kafka,
        detail=f"{bench.size(LISTENERS)} listeners, {CHANGES} changes, one every {PAUSE_SECONDS:g} s; the gateway has "
        f"{each:.1f} KiB more for each listener, {after:.1f} KiB after all changes",
    )  # fmt: skip


async def _measure(bench: Bench) -> tuple[list[float], float, float]:
    """Milliseconds of each listener and change; KiB that the gateway has more for each, before and after them."""
    status, listeners = bench.status(), bench.size(LISTENERS)
    gateway = psutil.Process(own_processes(status)["gateway"])
    me = await asyncio.to_thread(lambda: bench.api().get("/account/me"))
    token = await asyncio.to_thread(bench.bearer_token)
    before = gateway.memory_info().rss
    async with _listening(status["gateway"], token, listeners) as opened:
        await asyncio.sleep(IDLE_SECONDS)
        each = (gateway.memory_info().rss - before) / listeners / KIB
        took = await _changes(bench, opened, OrganizationId(me["organization_id"]))
        after = (gateway.memory_info().rss - before) / listeners / KIB
    return took, each, after


@asynccontextmanager
async def _listening(url: str, token: str, number: int) -> AsyncIterator[Listeners]:
    host, _, port = url.removeprefix("http://").partition(":")
    opened = Listeners(host, int(port))
    try:
        for first in range(0, number, OPEN_AT_ONCE):
            some = range(first, min(first + OPEN_AT_ONCE, number))
            await asyncio.gather(*(opened.open(token) for _ in some))
        yield opened
    finally:
        await opened.close()


async def _changes(bench: Bench, opened: Listeners, organization: OrganizationId) -> list[float]:
    """Milliseconds until each listener heard of each change."""
    status, key_file = bench.status(), write_key_file(bench.root / "stream.key")
    settings = settings_for(status["kafka"], status["kafka_access"], instance="bench", service_key_file=key_file)
    took: list[float] = []
    async with open_publisher(settings) as publisher:
        for _ in range(CHANGES):
            changed = JobChanged(
                organization_id=organization, job_id=JobId(new_id()), run_id=RunId(new_id()), status="running",
                task_type="backup", attempt=1, at=utc_now(),
            )  # fmt: skip
            opened.enough.clear()
            began = time.perf_counter()
            await publisher.send(envelope(changed, service="scheduler"))
            async with asyncio.timeout(30):
                await opened.enough.wait()
            took += [(heard - began) * 1000 for heard in opened.heard.pop(changed.job_id)]
            await asyncio.sleep(PAUSE_SECONDS)
    return took
