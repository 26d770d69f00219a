"""Background work. A loop that fails is logged, counted and started again; a task that fails is logged and counted."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from opentelemetry import metrics

from chassis.errors import Unavailable
from chassis.runtime.deadlines import under
from chassis.telemetry import semantic_conventions as semconv

log = logging.getLogger(__name__)
UNREADY_AFTER = 3
_NOT_NOW = float("inf")
T = TypeVar("T")
Loop = Callable[[], Awaitable[None]]
Foreseen = tuple[type[BaseException], ...]


@dataclass(frozen=True)
class Pacing:
    """How soon a loop that failed is started again, and after which time it counts as healthy."""

    first_pause_seconds: float = 1.0
    longest_pause_seconds: float = 60.0
    # A loop that has run for so long is healthy, however often it failed before.
    well_after_seconds: float = 30.0

    def pause_after(self, failures: int) -> float:
        """Pauses double from failure to failure."""
        return min(self.first_pause_seconds * 2.0 ** min(failures - 1, 16), self.longest_pause_seconds)


PACING = Pacing()


class _SupervisedLoop:
    """One loop and its failures."""

    def __init__(self, name: str, loop: Loop, *, pacing: Pacing, endless: bool = True) -> None:
        self.name = name
        self._endless = endless
        self.failures = 0
        self.reason = ""
        self._loop = loop
        self._pacing = pacing
        self._began = 0.0

    @property
    def is_healthy(self) -> bool:
        return self.failures < UNREADY_AFTER or self._runs_long

    @property
    def _runs_long(self) -> bool:
        return asyncio.get_running_loop().time() - self._began > self._pacing.well_after_seconds

    async def keep(self) -> None:
        while True:
            self._began = asyncio.get_running_loop().time()
            try:
                await self._loop()
                if not self._endless:
                    return
                raise RuntimeError("a loop without an end has ended")
            except asyncio.CancelledError as error:
                # Something it waited for may have been cancelled; then the loop itself was not asked to end.
                if (task := asyncio.current_task()) is None or task.cancelling():
                    raise
                self._note(error)
            except Exception as error:  # noqa: BLE001 - whatever it is, the loop is started again
                self._note(error)
            await asyncio.sleep(self._pacing.pause_after(self.failures))

    def _note(self, error: BaseException) -> None:
        self.reason = type(error).__name__
        self.failures = 1 if self._runs_long else self.failures + 1
        self._began = _NOT_NOW
        _count(self.name)
        log.error("a background loop failed and is begun again", extra={"loop": self.name}, exc_info=error)


def _count(name: str) -> None:
    counter = metrics.get_meter("cairn").create_counter(semconv.METRIC_BACKGROUND_FAILURES, "{failure}")
    counter.add(1, {semconv.LOOP: name})


@asynccontextmanager
async def beside(name: str, loop: Loop, *, pacing: Pacing = PACING) -> AsyncIterator["asyncio.Task[None]"]:
    """Run a loop beside one piece of work, until the context is left, the task is cancelled or the loop returns.

    One that fails is logged, counted and started again, after pauses that double; the work beside it goes on.
    """
    task = asyncio.create_task(_SupervisedLoop(name, loop, pacing=pacing, endless=False).keep())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


def begin(name: str, work: Coroutine[Any, Any, T], *, foreseen: Foreseen = ()) -> "asyncio.Task[T]":
    """Start a task that may never be awaited. Its failure is logged and counted, except for errors that are `foreseen`.

    The caller must keep the task: the event loop holds no reference to it.
    """

    def report(task: "asyncio.Task[T]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, foreseen):
            _count(name)
            log.error("work in the background failed", extra={"loop": name}, exc_info=error)

    task = asyncio.create_task(work)
    task.add_done_callback(report)
    return task


class LoopSupervisor:
    """The loops of one process."""

    def __init__(self, *, pacing: Pacing = PACING) -> None:
        self._pacing = pacing
        self._kept: set[_SupervisedLoop] = set()

    @asynccontextmanager
    async def running(self, name: str, loop: Loop) -> AsyncIterator[None]:
        """See `all_running`."""
        async with self.all_running({name: loop}):
            yield

    @asynccontextmanager
    async def all_running(self, loops: Mapping[str, Loop]) -> AsyncIterator[None]:
        """Run named loops until the context is left, and until they have stopped.

        One that ends is started again, after pauses that double.
        """
        kept = {_SupervisedLoop(name, loop, pacing=self._pacing) for name, loop in loops.items()}
        self._kept |= kept
        with under(None):
            tasks = [asyncio.create_task(one.keep()) for one in kept]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            self._kept -= kept

    async def check(self) -> None:
        """Raise `Unavailable` (`background_failing`) naming the loops that have failed again and again."""
        failing = sorted(
            f"{k.name} failed {k.failures} times, last: {k.reason}" for k in self._kept if not k.is_healthy
        )
        if failing:
            raise Unavailable("background_failing", "; ".join(failing))
