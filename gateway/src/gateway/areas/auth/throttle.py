"""How fast passwords may be tried, so that guessing is slow and whoever knows the password is not kept out."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.access.passwords import verify_password
from gateway.areas.auth.throttle_rules import FORGOTTEN_SECONDS, pause_after, refusal_of

# Queues and names cost memory, and strangers choose both: the oldest idle ones go first.
REMEMBERED = 10_000
# Each address has one password checked at a time, so a newcomer waits for so many checks at most.
_ADDRESSES_AT_ONCE = 64


class Rules(NamedTuple):
    """The limits of a queue: how many may wait in it, and the longest pause before a try."""

    queue: int
    longest_pause_seconds: float


KNOWN = Rules(queue=50, longest_pause_seconds=0.1)
STRANGER = Rules(queue=8, longest_pause_seconds=2.0)


@dataclass
class _Failures:
    count: int = 0
    latest: float = 0

    def recent(self, now: float) -> int:
        return self.count if now - self.latest < FORGOTTEN_SECONDS else 0

    def add(self, now: float) -> None:
        self.count, self.latest = self.recent(now) + 1, now


@dataclass
class _Queue:
    failures: _Failures = field(default_factory=_Failures)
    waiting: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Throttle:
    """Checks passwords one after the other in queues, in the order they came.

    A person who logged in from the same address before has a queue of their own, and does not compete with others for
    the processor. All other tries from one address share a queue, whatever the names: so one address has one password
    checked at a time, and however many it sends, others hardly notice. Failures make the next try in the queue wait;
    those of strangers also the next try of a stranger for that name. A full queue refuses (`too_many_attempts`).
    """

    def __init__(
        self,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        *,
        verify: Callable[[str, str | None], bool] = verify_password,
        remembered: int = REMEMBERED,
    ) -> None:
        self._sleep = sleep
        self._verify = verify
        self._remembered = remembered
        self._queues: OrderedDict[tuple[str, ...], _Queue] = OrderedDict()
        self._names: OrderedDict[str, _Failures] = OrderedDict()
        # One each, so that people who are known never wait while passwords of strangers are checked.
        self._known, self._strangers = asyncio.Semaphore(1), asyncio.Semaphore(1)
        self._addresses = 0

    @property
    def queue_count(self) -> int:
        """How many queues are remembered."""
        return len(self._queues)

    async def check(self, password: str, kept: str | None, *, name: str, address: str, known: bool) -> bool:
        """Whether a password matches a kept hash; takes as long when there is none. Raises `Throttled`."""
        if known:
            async with self._turn((name, address), KNOWN) as queue:
                await self._sleep(pause_after(queue.failures.recent(time.monotonic()), KNOWN.longest_pause_seconds))
                return self._noted(await self._verified(password, kept, self._known), queue.failures)
        async with self._turn((address,), STRANGER) as queue:
            of_name = self._failures_of(name)
            now = time.monotonic()
            failures = max(queue.failures.recent(now), of_name.recent(now))
            await self._sleep(pause_after(failures, STRANGER.longest_pause_seconds))
            async with self._place():
                matches = await self._verified(password, kept, self._strangers)
            return self._noted(matches, queue.failures, of_name)

    @asynccontextmanager
    async def _turn(self, key: tuple[str, ...], rules: Rules) -> AsyncIterator[_Queue]:
        queue = self._queues.setdefault(key, _Queue())
        self._queues.move_to_end(key)
        if queue.waiting >= rules.queue:
            raise refusal_of(queue.waiting, queue.failures.recent(time.monotonic()), rules.longest_pause_seconds)
        queue.waiting += 1
        try:
            async with queue.lock:
                yield queue
        finally:
            queue.waiting -= 1
            self._forget_idle()

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        if self._addresses >= _ADDRESSES_AT_ONCE:
            raise refusal_of(self._addresses, 0, 0)
        self._addresses += 1
        try:
            yield
        finally:
            self._addresses -= 1

    async def _verified(self, password: str, kept: str | None, processor: asyncio.Semaphore) -> bool:
        # One check at a time, as each takes 32 MiB while it lasts; in a thread, as it would hold up the event loop.
        async with processor:
            return await asyncio.to_thread(self._verify, password, kept)

    def _noted(self, matches: bool, *places: _Failures) -> bool:
        for failures in places:
            if matches:
                failures.count = 0
            else:
                failures.add(time.monotonic())
        return matches

    def _failures_of(self, name: str) -> _Failures:
        failures = self._names.setdefault(name, _Failures())
        self._names.move_to_end(name)
        while len(self._names) > self._remembered:
            self._names.popitem(last=False)
        return failures

    def _forget_idle(self) -> None:
        while len(self._queues) > self._remembered:
            # A queue in use stays: a second one of the same name would let two tries run at once.
            key = next((k for k, queue in self._queues.items() if not queue.waiting), None)
            if key is None:
                return
            del self._queues[key]
