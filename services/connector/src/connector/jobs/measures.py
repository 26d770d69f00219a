"""What is told of a job beside its progress: samples of what it uses, phases, paths and warnings. Nothing gets lost."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from threading import Lock
from time import monotonic
from typing import Any

import psutil
from chassis.ids import utc_now
from contracts.measures import Sample, Totals, Usage, thinned
from contracts.messages.connector.task_events import LogLine, PathOutcome, PhaseBegun, TaskMeasured

from connector.domain.texts import keepable
from connector.engine.port import Progress
from connector.engine.processes import ProcessMeter, Reading

PATHS_PER_EVENT = 20
WARNINGS_MAX = 100
PHASES_PER_EVENT = 100
SAMPLES_PER_EVENT = 60
"""More are thinned: while Kafka is away, they would fill the memory."""


_Handled = tuple[int, str, str]
"""In which order, which path, what became of it."""


@dataclass(frozen=True)
class _Reading:
    """All counters at a moment."""

    at: float
    processes: Reading
    received_bytes: int | None
    sent_bytes: int | None


class JobMeasures:
    """Collects what one attempt at a job is told to have used, done and warned of."""

    def __init__(self) -> None:
        self.meter = ProcessMeter()
        self._lock = Lock()
        self._first = self._last = _Reading(monotonic(), Reading(), *_network())
        self._samples: tuple[Sample, ...] = ()
        self._phases: deque[PhaseBegun] = deque(maxlen=PHASES_PER_EVENT)
        self._current: frozenset[str] = frozenset()
        self._told_failed: frozenset[str] = frozenset()
        self._order = count()
        self._paths: deque[_Handled] = deque(maxlen=PATHS_PER_EVENT)
        self._failed: deque[_Handled] = deque(maxlen=PATHS_PER_EVENT)
        self._warnings: list[LogLine] = []
        self._warning_count = 0
        self._sequence = 0
        self._phase = ""
        self._pending: TaskMeasured | None = None

    def enter(self, phase: str) -> None:
        """Note that a phase begins; the one that goes on already is not noted again."""
        if phase != self._phase:
            self._phase = phase
            self._phases.append(PhaseBegun(name=phase, at=utc_now()))

    def follow(self, progress: Progress) -> None:
        """Note the paths that the engine has left: those of which it told no error went well."""
        # The engine names files that it reads, and those that it cannot read, but not those that it has read.
        self.fail(progress.failed)
        for path in self._current - frozenset(progress.current) - self._told_failed:
            self.handle(path, "ok")
        self._current = frozenset(progress.current)

    def fail(self, paths: Sequence[str]) -> None:
        """Note paths that could not be handled, but for those that were named the last time as well."""
        for path in paths:
            if path not in self._told_failed:
                self.handle(path, "error")
        self._told_failed = frozenset(paths)

    def handle(self, path: str, status: str) -> None:
        """Note what became of a path; any thread may. Of many the latest are told, and those with an error."""
        (self._failed if status == "error" else self._paths).append((next(self._order), path, status))

    def warn(self, line: LogLine) -> None:
        """Note a warning of the log. The first ones are told, the others counted."""
        self._warning_count += 1
        if self._warning_count <= WARNINGS_MAX:
            self._warnings.append(line)

    def leave_out(self, lines: Sequence[LogLine], count: int) -> None:
        """Note what is left out as warnings: the first ones, and how many there are."""
        for line in lines:
            self.warn(line)
        self._warning_count += max(count - len(lines), 0)

    def sample(self) -> None:
        """Look at what the job uses. Blocks for some milliseconds."""
        with self._lock:
            now = _Reading(monotonic(), self.meter.read(), *_network())
            if now.at > self._last.at:
                self._samples = thinned((*self._samples, _sample(self._last, now)), SAMPLES_PER_EVENT)
                self._last = now

    def next_event(self, facts: dict[str, Any]) -> TaskMeasured | None:
        """What is to be told: the message before, until `sent` was called, else what happened since; None: nothing."""
        if self._pending is None and self._has_news():
            self._sequence += 1
            self._pending = TaskMeasured(**facts, sequence=self._sequence, **self._taken())
        return self._pending

    def sent(self) -> None:
        """The message that `next_event` gave has arrived."""
        self._pending = None

    def _has_news(self) -> bool:
        return bool(self._samples or self._phases or self._paths or self._failed or self._warnings)

    def _taken(self) -> dict[str, Any]:
        with self._lock:
            samples, self._samples = self._samples, ()
        warnings, self._warnings = tuple(self._warnings), []
        return {
            "samples": samples,
            "totals": _totals(self._first, self._last),
            "phases": tuple(self._phases.popleft() for _ in range(len(self._phases))),
            "paths": self._taken_paths(),
            "warnings": warnings,
            "warning_count": self._warning_count,
        }

    def _taken_paths(self) -> tuple[PathOutcome, ...]:
        failed = [self._failed.popleft() for _ in range(len(self._failed))]
        others = [self._paths.popleft() for _ in range(len(self._paths))]
        chosen = sorted((others + failed)[-PATHS_PER_EVENT:])
        return tuple(PathOutcome(path=keepable(path), status=status) for _, path, status in chosen)


def _sample(before: _Reading, now: _Reading) -> Sample:
    seconds = now.at - before.at
    network = {
        "received_bps": _rate(before.received_bytes, now.received_bytes, seconds),
        "sent_bps": _rate(before.sent_bytes, now.sent_bytes, seconds),
    }
    mean = Usage(**network, **_used(before.processes, now.processes, seconds))
    return Sample(at=utc_now(), seconds=max(round(seconds, 3), 0.001), mean=mean)


def _used(then: Reading, now: Reading, seconds: float) -> dict[str, float | None]:
    if now.memory_bytes is None and now.cpu_seconds == then.cpu_seconds:
        # No process worked for the job: what the worker itself does for it meanwhile is not known.
        return {}
    # What is seen for the first time was used since: nobody worked for the job before.
    cpu = _rate(then.cpu_seconds or 0.0, now.cpu_seconds, seconds)
    return {
        "cpu_percent": None if cpu is None else round(100 * cpu, 1),
        "memory_bytes": now.memory_bytes,
        "read_bps": _rate(then.read_bytes or 0, now.read_bytes, seconds),
        "written_bps": _rate(then.written_bytes or 0, now.written_bytes, seconds),
    }


def _rate(before: float | None, now: float | None, seconds: float) -> float | None:
    # A counter that went back was begun anew, by the system or by another network interface.
    if before is None or now is None or now < before:
        return None
    return round((now - before) / seconds, 3)


def _totals(first: _Reading, last: _Reading) -> Totals:
    cpu = last.processes.cpu_seconds
    return Totals(
        cpu_seconds=None if cpu is None else round(cpu, 3),
        received_bytes=_grown(first.received_bytes, last.received_bytes),
        sent_bytes=_grown(first.sent_bytes, last.sent_bytes),
        read_bytes=last.processes.read_bytes,
        written_bytes=last.processes.written_bytes,
    )


def _grown(before: int | None, now: int | None) -> int | None:
    return None if before is None or now is None or now < before else now - before


def _network() -> tuple[int | None, int | None]:
    """Bytes that this host received and sent."""
    counted = psutil.net_io_counters()
    return (counted.bytes_recv, counted.bytes_sent) if counted else (None, None)
