"""The audit log: what is done is written down before it is done, and what became of it afterwards."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from chassis.background import Background
from chassis.deadlines import current_deadline
from chassis.errors import CairnError, Invalid, Unavailable
from chassis.ids import new_id, utc_now
from chassis.mongo import PyMongoError
from chassis.outcomes import StillRunning
from chassis.problems import unexpected
from contracts.values import OrganizationId
from pydantic import JsonValue

from gateway.domain.audit import Actor, Deed, Ending, Entry, Outcome, Subject, began_at
from gateway.store.audit import AuditLog
from gateway.usecases.visitors import Visitor

log = logging.getLogger(__name__)
FORGET_EVERY_SECONDS = 3600.0


class Audit:
    """Writes entries, reads them, and removes old ones."""

    def __init__(self, entries: AuditLog, *, kept_days: int) -> None:
        self._entries = entries
        self._kept = timedelta(days=kept_days)

    def begin(self, deed: Deed) -> "Recording":
        """Begin to write down that something begins. It must be `written` before anything is seen of it."""
        return Recording(self._entries, Entry(id=new_id(), deed=deed))

    @asynccontextmanager
    async def change(
        self, who: Visitor, action: str, kind: str, subject_id: str, **details: JsonValue
    ) -> AsyncIterator[None]:
        """Write down a change before it is made, and then what became of it. Raises `Unavailable`: it is not made.

        One that goes on after its request is `continued`, with the operation it has become.
        """
        actor = Actor(account_id=who.account_id, via="badge")
        subject = Subject(kind=kind, id=subject_id)
        recording = self.begin(
            Deed(organization_id=who.organization_id, actor=actor, action=action, subject=subject, details=details)
        )
        await recording.written()
        try:
            yield
        except StillRunning as error:
            await recording.end("continued", operation_id=error.command.id)
            raise
        except CairnError as error:
            deadline = current_deadline()
            if isinstance(error, Unavailable) and deadline is not None and deadline.accepted is not None:
                # It was carried out; what came of it could not be read.
                await recording.end("continued", operation_id=deadline.accepted.id)
            else:
                await recording.end("failed", code=error.code)
            raise
        except Exception as error:
            code = "database_unavailable" if isinstance(error, PyMongoError) else unexpected().code
            await recording.end("failed", code=code)
            raise
        except BaseException:
            await recording.end("cancelled")
            raise
        await recording.end("completed")

    async def record(self, deed: Deed, *, code: str | None = None) -> None:
        """Write down something that is done at once, or that failed with a code.

        Raises `Unavailable` (`audit_unavailable`).
        """
        ending = Ending(outcome="failed" if code else "completed", code=code)
        entry = Entry(id=new_id(), deed=deed, ended_at=utc_now(), ending=ending)
        await Recording(self._entries, entry).written()

    async def page(
        self, org: OrganizationId, *, action: str | None, cursor: str | None, limit: int
    ) -> tuple[list[Entry], str | None]:
        """Entries of an organization, newest first, and where the next page begins. Raises `cursor_invalid`."""
        now = utc_now()
        found = await self._entries.page(
            org, action=action, before=_entry_id(cursor), oldest=now - self._kept, now=now, limit=limit + 1
        )
        return found[:limit], found[limit - 1].id if len(found) > limit else None

    @asynccontextmanager
    async def running(self, background: Background) -> AsyncIterator["Audit"]:
        """Remove old entries now and then."""
        async with background.running("old audit entries", self._forget_forever):
            yield self

    async def _forget_forever(self) -> None:
        while True:
            try:
                await self._entries.forget(utc_now() - self._kept)
            except PyMongoError as error:
                log.warning("old audit entries not removed", extra={"reason": type(error).__name__})
            await asyncio.sleep(FORGET_EVERY_SECONDS)


class Recording:
    """One entry, from beginning to end. This process is its only writer; when it dies, the entry stays begun."""

    def __init__(self, entries: AuditLog, entry: Entry) -> None:
        self._entries = entries
        self._entry = entry
        self._writing = asyncio.create_task(entries.begin(entry))

    async def written(self) -> None:
        """Wait until the beginning is written. Raises `Unavailable` (`audit_unavailable`): then it must not be done."""
        try:
            await asyncio.shield(self._writing)
        except PyMongoError as error:
            log.warning("audit entry not written", extra={"reason": type(error).__name__})
            raise Unavailable(
                "audit_unavailable", "The audit log cannot be written, so nothing is done or handed out."
            ) from error

    async def end(self, outcome: Outcome, *, code: str | None = None, **details: JsonValue) -> None:
        """Write down what became of it; when that fails the log tells, and the entry stays begun."""
        ending = Ending(outcome=outcome, code=code, details=details)
        await asyncio.shield(asyncio.ensure_future(self._end(ending)))

    async def _end(self, ending: Ending) -> None:
        try:
            await self._writing
            await self._entries.end(self._entry.deed.organization_id, self._entry.id, ending, utc_now())
        except PyMongoError as error:
            log.warning("audit entry not ended", extra={"entry": self._entry.id, "reason": type(error).__name__})


def _entry_id(cursor: str | None) -> str | None:
    if not cursor:
        return None
    try:
        began_at(cursor)
    except (ValueError, OverflowError):
        raise Invalid("cursor_invalid", "The cursor is none that this listing gave.") from None
    return cursor
