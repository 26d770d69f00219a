"""Notices an engine that does nothing for long, says so, and ends it where the settings ask for that."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from time import monotonic

from chassis.ids import utc_now
from chassis.runtime.supervision import beside
from contracts.errors import PermanentError
from contracts.wording import seconds as in_seconds

from connector.domain.stuck import Signs, gets_on
from connector.engine.processes import Reading
from connector.jobs.job_reporting import Reporter

LOOK_SECONDS = 5.0


class EngineStuck(PermanentError):
    """An engine was ended because it did nothing for too long."""

    def __init__(self, seconds: float) -> None:
        time = in_seconds(seconds)
        detail = f"The engine did nothing for {time}, so it was ended: no bytes, no files, no line in its log."
        super().__init__("engine_stuck", detail)


class StuckWatch:
    """Looks at one job while its engine works."""

    def __init__(self, reporter: Reporter, cancel: asyncio.Event, *, seconds: float, ends: bool) -> None:
        self._reporter = reporter
        self._cancel = cancel
        self._seconds = seconds
        self._ends = ends
        self._before = Signs()
        self._since: tuple[float, datetime] = monotonic(), utc_now()
        self.has_ended = False
        """Whether the job is stopped because its engine was stuck."""

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Look until the context is left; never where no time is set."""
        if not self._seconds:
            yield
            return
        async with beside("watch for stuck engines", self._look_forever):
            yield

    async def _look_forever(self) -> None:
        while True:
            await asyncio.sleep(min(LOOK_SECONDS, self._seconds / 4))
            self._look(await asyncio.to_thread(self._reporter.measures.meter.read))

    def _look(self, reading: Reading) -> None:
        signs = self._signs(reading)
        # Without a process there is no engine, and who waits for a store in order is not stuck.
        if reading.memory_bytes is None or self._reporter.is_waiting or gets_on(self._before, signs):
            self._goes_on(signs)
        elif self._reporter.stuck_since is None and monotonic() - self._since[0] >= self._seconds:
            self._is_stuck(reading)

    def _goes_on(self, signs: Signs) -> None:
        self._before, self._since = signs, (monotonic(), utc_now())
        if self._reporter.stuck_since is not None:
            self._reporter.note_stuck(None)
            self._reporter.log("info", "The engine goes on.")
            self._before = signs._replace(lines=self._reporter.line_count)

    def _is_stuck(self, reading: Reading) -> None:
        self._reporter.note_stuck(self._since[1])
        self._reporter.log("warning", f"The engine has done nothing for {in_seconds(self._seconds)}: it may be stuck.")
        # What is said here is no sign of life.
        self._before = self._signs(reading)
        if self._ends and not self._cancel.is_set():
            self.has_ended = True
            self._cancel.set()

    def _signs(self, reading: Reading) -> Signs:
        reporter = self._reporter
        if reading.is_own:
            # Other jobs of this process move bytes as well; work in a thread tells of itself only when it gets on.
            return Signs((*reporter.figures, reporter.told_count), reporter.line_count, moved_bytes=0)
        known = reading.read_bytes is not None and reading.written_bytes is not None
        moved = (reading.read_bytes or 0) + (reading.written_bytes or 0) if known else None
        return Signs(reporter.figures, reporter.line_count, moved, reading.cpu_seconds or 0.0)
