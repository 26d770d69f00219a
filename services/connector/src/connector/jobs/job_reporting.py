"""Publishes how a job goes: its progress, of which only the latest counts, and the lines of its log."""

import asyncio
import contextlib
import logging
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from time import monotonic

import psutil
from chassis.ids import utc_now
from chassis.messaging.envelopes import envelope
from chassis.messaging.publisher import Publisher
from chassis.runtime.supervision import beside
from contracts.errors import CairnError
from contracts.messages.connector.task_events import LogLine, TaskEvent, TaskLogged, TaskProgressed
from contracts.messages.scheduler import TaskRequested
from contracts.values import AppId, JobId, RunId
from integrations.sdk.job_log import Level
from integrations.sdk.text import one_line

from connector.domain.texts import keepable
from connector.engine.port import Progress
from connector.jobs.measures import WARNINGS_MAX, JobMeasures
from connector.queue.lease import Lease, LeaseLost

log = logging.getLogger(__name__)
# The first message comes early, so that a person who started the job sees that it runs.
FIRST_SECONDS, PERIOD_SECONDS = 0.5, 1.0
MEASURES_SECONDS = 5.0
LINES_PER_EVENT = 200
LINE_CHARACTERS = 2000
# A source of which every file is unreadable would otherwise fill the database of the scheduler.
LINES_MAX = 10_000
# Enough for the longest path that an operating system takes (4,096 bytes), however it is escaped, and a reason.
TEXT_CHARACTERS = 16_000
_GOES_ON = "... "
_FULL = "The log ends here: it is too long. Its last line says how many more there were."


class Reporter:
    """Collects progress and log lines of a job and sends them once a second at most, while the lease is valid."""

    def __init__(
        self,
        publisher: Publisher,
        lease: Lease,
        job_id: JobId,
        *,
        request: TaskRequested | None = None,
        first_seconds: float = FIRST_SECONDS,
        period_seconds: float = PERIOD_SECONDS,
        measures_seconds: float = MEASURES_SECONDS,
    ) -> None:
        self._publisher = publisher
        self._lease = lease
        self._job_id = job_id
        self._about = facts_of(request) if request is not None else {}
        self._first_seconds, self._period_seconds = first_seconds, period_seconds
        self._measures_seconds = measures_seconds
        self._measured_at = monotonic()
        self.measures = JobMeasures()
        self._phase = "preparing"
        self._waiting_for = ""
        self._latest: Progress | None = None
        self._reported = Progress()
        self.told_count = 0
        """How often somebody said how far the work is."""
        self.stuck_since: datetime | None = None
        """Since when the engine shows no sign of life; None: it does."""
        self._lines: deque[LogLine] = deque()
        self._pending: TaskLogged | None = None
        self._taken = 0
        self._left_out: Counter[Level] = Counter()
        self._sequence = 0
        self._network = _network_bytes()

    def enter(self, phase: str) -> None:
        """Report in which phase the job is, in one word that ends in -ing: `TaskProgressed` lists them."""
        self._phase, self._waiting_for = phase, ""
        self.measures.enter(phase)
        self._latest = self._latest or Progress()

    def wait(self, holder: str) -> None:
        """Report that the job waits for another process to leave the store."""
        self._phase, self._waiting_for = "waiting", holder
        self.measures.enter("waiting")
        self._latest = self._latest or Progress()

    def progress(self, progress: Progress) -> None:
        """Replace the progress that is sent next."""
        self._latest = self._reported = progress
        self.told_count += 1
        self.measures.follow(progress)

    def note_stuck(self, since: datetime | None) -> None:
        """Report since when the engine shows no sign of life; None: it does again."""
        self.stuck_since = since
        self._latest = self._reported

    @property
    def is_waiting(self) -> bool:
        """Whether the job waits for another process to leave the store."""
        return self._phase == "waiting"

    @property
    def figures(self) -> tuple[object, ...]:
        """The phase of the job, and how far it says that it is."""
        told = self._reported
        return self._phase, told.files_done, told.bytes_done, told.fraction, told.current

    @property
    def line_count(self) -> int:
        """How many lines its log has."""
        return self._taken

    def log(self, level: Level, text: str) -> None:
        """Add a text to the job's log. A long one goes on in lines that begin with dots."""
        # A text of several lines becomes one, so that no file name can forge a line of the log.
        lines = list(_lines_of(text))
        if level == "warning":
            self.measures.warn(LogLine(at=utc_now(), level=level, text=lines[0]))
        for line in lines:
            self._taken += 1
            if self._taken <= LINES_MAX:
                self._lines.append(LogLine(at=utc_now(), level=level, text=line))
                continue
            self._left_out[level] += 1
            if self._taken == LINES_MAX + 1:
                self._lines.append(LogLine(at=utc_now(), level="warning", text=_FULL))

    def leave_out(self, names: Sequence[str], count: int) -> None:
        """Have what is left out among the warnings. `names`: the first ones of `count`; the log has them as errors."""
        told = [next(iter(_lines_of(name))) for name in names[:WARNINGS_MAX]]
        self.measures.leave_out([LogLine(at=utc_now(), level="warning", text=text) for text in told], count)

    @asynccontextmanager
    async def sending(self) -> AsyncIterator["asyncio.Task[None]"]:
        """Send in the background, in the task that is yielded; it ends with the lease.

        What is left over at the end comes from `rest`.
        """
        async with (
            beside("measures of a job", self._sample_forever),
            beside("progress of a job", self._send_forever) as sending,
        ):
            yield sending

    def rest(self) -> list[TaskEvent]:
        """What was not sent yet, to be sent with the result: how far the job came, then the lines, of which the last
        one says how many there were no room for.
        """
        if left_out := self._left_out.total():
            errors, self._left_out = self._left_out["error"], Counter()
            summary = f"{left_out} more lines were left out, {errors} of them about errors."
            self._lines.append(LogLine(at=utc_now(), level="warning", text=summary))
        latest, self._latest = self._latest, None
        events: list[TaskEvent] = [self._progressed(latest)] if latest is not None else []
        events += [self._pending] if self._pending else []
        while self._lines:
            events.append(self._next_lines())
        return events

    def measured(self) -> list[TaskEvent]:
        """What was not told yet of what the job used and did, to be sent with the result."""
        self.measures.sample()
        events: list[TaskEvent] = []
        while event := self.measures.next_event(self._facts()):
            events.append(event)
            self.measures.sent()
        return events

    async def flush(self) -> None:
        """Send what was not sent yet, for an attempt that ends without a result."""
        self._measured_at -= self._measures_seconds
        with contextlib.suppress(LeaseLost):
            await self._send_or_keep()

    async def _send_forever(self) -> None:
        pause = self._first_seconds
        with contextlib.suppress(LeaseLost):
            while True:
                await asyncio.sleep(pause)
                pause = self._period_seconds
                await self._send_or_keep()

    async def _sample_forever(self) -> None:
        # Apart from what is sent: the threads may be busy for a while, and somebody waits for the progress.
        while True:
            await asyncio.to_thread(self.measures.sample)
            await asyncio.sleep(self._period_seconds)

    async def _send_or_keep(self) -> None:
        try:
            await self._send()
        except LeaseLost:
            raise
        except CairnError as error:
            log.warning("progress was not sent", extra={"job": self._job_id, "reason": error.code})

    async def _send(self) -> None:
        if self._latest is not None:
            latest, self._latest = self._latest, None
            await self._publish(self._progressed(latest))
        while self._pending or self._lines:
            # Kept until it was sent: after a failure the same message goes out again, with the same number.
            self._pending = self._pending or self._next_lines()
            await self._publish(self._pending)
            self._pending = None
        if monotonic() >= self._measured_at + self._measures_seconds:
            await self._send_measures()

    async def _send_measures(self) -> None:
        if event := self.measures.next_event(self._facts()):
            await self._publish(event)
            self.measures.sent()
        self._measured_at = monotonic()

    async def _publish(self, event: TaskEvent) -> None:
        # By the clock alone: asking the database before each message of progress would cost more than the message.
        self._lease.check()
        await self._publisher.send(envelope(event, service="connector", cause=self._lease.work.cause))

    def _next_lines(self) -> TaskLogged:
        lines = tuple(self._lines.popleft() for _ in range(min(LINES_PER_EVENT, len(self._lines))))
        self._sequence += 1
        return TaskLogged(**self._facts(), sequence=self._sequence, lines=lines)

    def _progressed(self, progress: Progress) -> TaskProgressed:
        network = max(_network_bytes() - self._network, 0)
        figures = vars(progress) | {
            "fraction": min(max(progress.fraction, 0), 1),
            "current": tuple(map(keepable, progress.current)),
        }
        return TaskProgressed(
            **self._facts(),
            phase=self._phase,
            waiting_for=keepable(self._waiting_for),
            stuck_since=self.stuck_since,
            network_bytes=network,
            **figures,
        )

    def _facts(self) -> dict[str, object]:
        organization_id = self._lease.work.organization_id
        facts = {"job_id": self._job_id, "attempt": self._lease.number, "at": utc_now()}
        return {"organization_id": organization_id, **facts, **self._about}


def facts_of(request: TaskRequested) -> dict[str, RunId | AppId | None]:
    """What every event of a job says of its run and of what its task works on."""
    task = request.task
    parties = {"origin_id": task.origin.id, "target_id": task.target.id if task.target else None}
    return {"run_id": request.run_id, **parties}


def _lines_of(text: str) -> Iterator[str]:
    """A text on one line; on more than one where it is long. Beyond all measure the rest is counted only."""
    beyond = len(text) - TEXT_CHARACTERS
    whole = one_line(text[:TEXT_CHARACTERS]) + (f" ({beyond} more characters)" if beyond > 0 else "")
    yield whole[:LINE_CHARACTERS]
    room = LINE_CHARACTERS - len(_GOES_ON)
    for start in range(LINE_CHARACTERS, len(whole), room):
        yield _GOES_ON + whole[start : start + room]


def _network_bytes() -> int:
    counted = psutil.net_io_counters()
    return counted.bytes_sent + counted.bytes_recv if counted else 0
