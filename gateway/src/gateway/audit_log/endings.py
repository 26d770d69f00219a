"""How an entry of the audit log ends: what is known of it, and that it is written however long that takes."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from chassis.errors import Unavailable
from chassis.http.problems import unexpected
from chassis.ids import utc_now
from chassis.messaging.command_client import StillRunning
from chassis.persistence.mongo import UNREACHABLE, PyMongoError, WriteError
from chassis.runtime.deadlines import LATE, Deadline
from chassis.runtime.supervision import LoopSupervisor, begin
from contracts.errors import CairnError

from gateway.audit_log.entries import AuditRow, Ending
from gateway.audit_log.store import AuditStore

log = logging.getLogger(__name__)
# How long a request waits for its ending to be written. What is left of its deadline is for its answer (0033).
END_SECONDS = 0.15
RETRY_SECONDS = 1.0
STOP_SECONDS = 2.0
# While the database is away each change leaves one in memory; beyond this the oldest are given up.
MOST_UNWRITTEN = 10_000


@dataclass(frozen=True)
class _Unwritten:
    row: AuditRow
    ending: Ending
    at: datetime = field(default_factory=utc_now)


class EndingWriter:
    """Writes endings. One that the database does not take is kept in this process and written when it does."""

    def __init__(self, entries: AuditStore) -> None:
        self._entries = entries
        self._under_way: set[asyncio.Task[None]] = set()
        self._unwritten: dict[str, _Unwritten] = {}

    def begin(self, writing: asyncio.Task[None], row: AuditRow, ending: Ending) -> asyncio.Task[None]:
        """Write an ending once the beginning, which is being written, is there, or may be."""
        task = begin("end of an audit entry", self._write_after(writing, _Unwritten(row, ending)))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def _write_after(self, writing: asyncio.Task[None], one: _Unwritten) -> None:
        """The beginning may have been written though the database did not say so."""
        try:
            await asyncio.wait({writing})
            if not writing.cancelled() and writing.exception():
                self._put_off(one)
            else:
                await self._write(one)
        except PyMongoError:
            self._put_off(one)
        except asyncio.CancelledError:
            _log_lost(one)
            raise

    async def _write(self, one: _Unwritten) -> None:
        await self._entries.end(one.row.entry.organization_id, one.row.id, one.ending, one.at)

    def _put_off(self, one: _Unwritten) -> None:
        self._unwritten[one.row.id] = one
        while len(self._unwritten) > MOST_UNWRITTEN:
            _log_lost(self._unwritten.pop(next(iter(self._unwritten))))

    @asynccontextmanager
    async def running(self, background: LoopSupervisor) -> AsyncIterator[None]:
        """Try again what was not written; at the end wait a moment for what is left, and log what is lost."""
        try:
            async with background.running("ends of audit entries", self._retry_forever):
                yield
        finally:
            await self._stop()

    async def _retry_forever(self) -> None:
        while True:
            await self.retry()
            await asyncio.sleep(RETRY_SECONDS)

    async def retry(self) -> None:
        """Write what is left, oldest first, until the database does not answer.

        What it refuses for good is logged as lost. What it refuses for another reason goes behind the others.
        """
        for one in list(self._unwritten.values()):
            try:
                await self._write(one)
            except WriteError as error:
                _log_lost(one, reason=type(error).__name__)
            except PyMongoError as error:
                log.warning("audit entry not ended yet", extra={"reason": type(error).__name__})
                # The database answers and refuses this one: the others need not wait behind it.
                if not isinstance(error, UNREACHABLE):
                    self._unwritten[one.row.id] = self._unwritten.pop(one.row.id, one)
                return
            self._unwritten.pop(one.row.id, None)

    async def _stop(self) -> None:
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=STOP_SECONDS)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self.retry()
        except TimeoutError:
            log.warning("ends of audit entries not written in time")
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        for one in self._unwritten.values():
            _log_lost(one)


def _log_lost(one: _Unwritten, *, reason: str = "not written in time") -> None:
    facts = {"entry": one.row.id, "outcome": one.ending.outcome, "reason": reason}
    log.error("audit entry never ended", extra=facts)


class OpenEntry:
    """One entry, from beginning to end. This process is its only writer; when it dies, the entry stays begun."""

    def __init__(self, entries: AuditStore, row: AuditRow, endings: EndingWriter) -> None:
        self._row = row
        self._endings = endings
        self._writing = begin("audit entry", entries.begin(row), foreseen=(PyMongoError,))

    async def written(self) -> None:
        """Wait until the beginning is written. Raises `Unavailable` (`audit_unavailable`): then it must not be done."""
        try:
            # Shielded: a client that goes must not undo the entry of what may already have begun.
            await asyncio.shield(self._writing)
        except PyMongoError as error:
            log.warning("audit entry not written", extra={"reason": type(error).__name__})
            raise Unavailable(
                "audit_unavailable", "The audit log cannot be written, so nothing is done or handed out."
            ) from error

    async def end(self, ending: Ending) -> None:
        """Write down what became of it. Waits for that up to `END_SECONDS`; it is written all the same."""
        await asyncio.wait({self.end_soon(ending)}, timeout=END_SECONDS)

    def end_soon(self, ending: Ending) -> asyncio.Task[None]:
        """Write down what became of it, while nobody waits."""
        return self._endings.begin(self._writing, self._row, ending)


class Unsettled(StillRunning):
    """The command of a recorded change goes on, if it can be kept; then its entry is ended by `settle`."""

    def __init__(self, left: StillRunning, open_entry: OpenEntry) -> None:
        super().__init__(left.command, taken=left.taken)
        self._left = left
        self._open_entry = open_entry

    def settle(self, *, code: str | None = None) -> None:
        """It is an operation now; with a code, it could not be kept, and nobody knows whether it is carried out."""
        if code is None:
            ending = Ending(outcome="continued", details={"operation_id": self.command.id})
        else:
            ending = Ending(outcome="unknown", code=code, details={"command_id": self.command.id})
        self._open_entry.end_soon(ending)
        # The change may be recorded as a part of another one too.
        if isinstance(self._left, Unsettled):
            self._left.settle(code=code)


def ending_of(error: BaseException, deadline: Deadline | None, *, parts_before: int = 0) -> Ending:
    """What is known of a change that did not end well, by how it stands with its commands.

    `parts_before`: how many parts of the request were done before the change began.
    """
    code = _code_of(error, was_cut=deadline is not None and deadline.was_cut)
    if deadline is not None and deadline.open_command is not None:
        return Ending(outcome="unknown", code=code, details={"command_id": deadline.open_command.id})
    if deadline is not None and deadline.accepted is not None:
        if isinstance(error, Unavailable):
            # Its result cannot be read now; the client gets an operation that brings it.
            return Ending(outcome="continued", details={"operation_id": deadline.accepted.id})
        return Ending(outcome="completed", code=code)
    if deadline is not None and deadline.parts_done > parts_before:
        return Ending(outcome="completed", code=code, details={"in_part": True})
    return Ending(outcome="failed", code=code) if code else Ending(outcome="cancelled")


def _code_of(error: BaseException, *, was_cut: bool) -> str | None:
    """The code of the problem that the client gets; None when the client is gone."""
    if isinstance(error, CairnError):
        return error.code
    if isinstance(error, PyMongoError):
        return "database_unavailable"
    if isinstance(error, Exception):
        return unexpected().code
    return LATE if was_cut else None
