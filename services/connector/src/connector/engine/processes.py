"""What processes use that work for one job: an engine's, with the children that they start.

Whoever starts a process does not know for which job it is; the job's own task says so before, once for all that it
starts (`metering`).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from threading import Lock

import psutil

SCAN_EVERY = 5
"""At how many looks new children are looked for, which takes a look at all processes of the machine."""


@dataclass(frozen=True)
class Reading:
    """What the processes of a job used until now. None: nobody can tell."""

    cpu_seconds: float | None = None
    memory_bytes: int | None = None
    """Resident at this moment; None while no process works for the job."""
    read_bytes: int | None = None
    written_bytes: int | None = None
    is_own: bool = False
    """Whether this process itself works for the job now: what its other jobs use is in the figures then."""


@dataclass(frozen=True)
class _Spent:
    cpu_seconds: float = 0.0
    read_bytes: int | None = 0
    written_bytes: int | None = 0
    memory_bytes: int = 0


@dataclass
class _Root:
    """A process that was named, and what was last seen of it and of those below it."""

    process: psutil.Process
    base: _Spent = _Spent()
    """What it had used before it worked for the job."""
    with_children: bool = True
    io: "_IoFile | None" = None
    looks: int = 0
    seen: dict[psutil.Process, _Spent] = field(default_factory=dict)


class _IoFile:
    """What Linux tells of the bytes of a process. Who opened it while that ran may read it also when it has ended."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def of(cls, process_id: int) -> "_IoFile | None":
        """None where the system does not tell."""
        with suppress(OSError):
            return cls(os.open(f"/proc/{process_id}/io", os.O_RDONLY | os.O_CLOEXEC))
        return None

    def read(self) -> tuple[int, int] | None:
        """Bytes read and written through the system; None once nobody can tell any more."""
        with suppress(OSError, ValueError, KeyError):
            lines = os.pread(self._descriptor, 4096, 0).decode().splitlines()
            told = {name: int(count) for name, _, count in (line.partition(": ") for line in lines)}
            return told["rchar"], told["wchar"]
        return None

    def close(self) -> None:
        """Read no more."""
        os.close(self._descriptor)


class ProcessMeter:
    """Adds up what the processes of one job use. Any thread may call it."""

    def __init__(self) -> None:
        self._roots: list[_Root] = []
        self._ended: list[_Root] = []
        self._lock = Lock()

    @contextmanager
    def counting(self, process_id: int, *, with_children: bool = True) -> Iterator[None]:
        """Count a process while the context is open, with those that it starts unless they are counted by themselves.

        This one's own children are not counted: they have other jobs.
        """
        root = _root_of(process_id, with_children=with_children)
        with self._lock:
            self._roots += [root] if root else []
        try:
            yield
        finally:
            if root is not None:
                # Its last moments are seen here: it has ended, and whoever started it has not let go of it yet.
                with self._lock:
                    _look_at(root, [])
                    if root.io:
                        root.io.close()
                    self._roots.remove(root)
                    self._ended.append(root)

    def read(self) -> Reading:
        """What they used until now. May block for some milliseconds."""
        with self._lock:
            for root in self._roots:
                _look_at(root, _children_of(root))
            everything = [*self._ended, *self._roots]
            memory = sum(spent.memory_bytes for root in self._roots for spent in root.seen.values())
            if not any(root.seen for root in everything):
                return Reading()
            is_own = any(root.process.pid == os.getpid() for root in self._roots)
            return replace(_added(everything), memory_bytes=memory if self._roots else None, is_own=is_own)


_meter: ContextVar[ProcessMeter | None] = ContextVar("process_meter", default=None)


@contextmanager
def metering(meter: ProcessMeter) -> Iterator[None]:
    """Count with this meter what is started in the context, and in tasks that are begun in it."""
    token = _meter.set(meter)
    try:
        yield
    finally:
        _meter.reset(token)


@contextmanager
def counted(process_id: int) -> Iterator[None]:
    """Count a process for the job that this task works for, if any."""
    meter = _meter.get()
    if meter is None:
        yield
        return
    with meter.counting(process_id):
        yield


@contextmanager
def own_process_counted() -> Iterator[None]:
    """Count this process for the job, while the job works in a thread of it. Other threads of it count as well."""
    with counted(os.getpid()):
        yield


def _root_of(process_id: int, *, with_children: bool) -> _Root | None:
    with suppress(psutil.Error, OSError):
        process = psutil.Process(process_id)
        if process_id != os.getpid():
            return _Root(process, io=_IoFile.of(process_id), with_children=with_children)
        return _Root(process, base=_spent_by(process), with_children=False)
    return None


def _children_of(root: _Root) -> list[psutil.Process]:
    root.looks += 1
    if root.looks % SCAN_EVERY != 1:
        return []
    with suppress(psutil.Error, OSError):
        return root.process.children(recursive=True) if root.with_children else []
    return []


def _look_at(root: _Root, below: list[psutil.Process]) -> None:
    """Keep what is seen now; of a process that has ended what was last seen stays, but for its memory."""
    root.seen = {process: replace(spent, memory_bytes=0) for process, spent in root.seen.items()}
    for process in {root.process, *below, *root.seen}:
        with suppress(psutil.Error, OSError):
            io = root.io if process == root.process else None
            root.seen[process] = _latest(root.seen.get(process), _spent_by(process, io))


def _latest(before: _Spent | None, now: _Spent) -> _Spent:
    # Of one that has ended and was not waited for yet, Linux tells the time to all, but the bytes to root alone.
    if before is None or now.read_bytes is not None:
        return now
    return replace(now, read_bytes=before.read_bytes, written_bytes=before.written_bytes)


def _spent_by(process: psutil.Process, io: _IoFile | None = None) -> _Spent:
    with process.oneshot():
        times = process.cpu_times()
        read, written = (io and io.read()) or _io_of(process)
        return _Spent(times.user + times.system, read, written, process.memory_info().rss)


def _io_of(process: psutil.Process) -> tuple[int | None, int | None]:
    """Bytes read and written through the system. None where it does not tell them: macOS, processes of others."""
    try:
        counters = process.io_counters()
    except (AttributeError, NotImplementedError, psutil.AccessDenied):
        return None, None
    # On Linux the others count what reached a disk: nothing of a connection, nor of what is cached.
    read, written = getattr(counters, "read_chars", counters.read_bytes), getattr(counters, "write_chars", None)
    return read, counters.write_bytes if written is None else written


def _added(roots: list[_Root]) -> Reading:
    spent = [spent for root in roots for spent in root.seen.values()]
    bases = [root.base for root in roots]
    return Reading(
        cpu_seconds=sum(each.cpu_seconds for each in spent) - sum(each.cpu_seconds for each in bases),
        read_bytes=_difference([each.read_bytes for each in spent], [each.read_bytes for each in bases]),
        written_bytes=_difference([each.written_bytes for each in spent], [each.written_bytes for each in bases]),
    )


def _difference(spent: list[int | None], bases: list[int | None]) -> int | None:
    known = [each for each in spent if each is not None]
    before = [each for each in bases if each is not None]
    # One that is not known leaves the sum unknown: half of it would look like all of it.
    return sum(known) - sum(before) if len(known) == len(spent) and len(before) == len(bases) else None
