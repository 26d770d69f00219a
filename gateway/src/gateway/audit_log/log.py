"""The audit log: what is done is written down before it is done, and what became of it afterwards."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from chassis.ids import new_id, utc_now
from chassis.messaging.command_client import StillRunning
from chassis.persistence.mongo import PyMongoError
from chassis.runtime.deadlines import current_deadline
from chassis.runtime.supervision import LoopSupervisor
from contracts.errors import Invalid
from contracts.values import OrganizationId
from pydantic import JsonValue

from gateway.access.principal import Principal
from gateway.audit_log.endings import EndingWriter, OpenEntry, Unsettled, ending_of
from gateway.audit_log.entries import Actor, AuditEntry, AuditRow, Ending, Subject, began_at
from gateway.audit_log.store import AuditStore

log = logging.getLogger(__name__)
FORGET_EVERY_SECONDS = 3600.0


class AuditLog:
    """Writes entries, reads them, and removes old ones."""

    def __init__(self, entries: AuditStore, *, kept_days: int) -> None:
        self._entries = entries
        self._endings = EndingWriter(entries)
        self._kept = timedelta(days=kept_days)

    def begin(self, entry: AuditEntry) -> "OpenEntry":
        """Begin to write down that something begins. It must be `written` before anything is seen of it."""
        return OpenEntry(self._entries, AuditRow(id=new_id(), entry=entry), self._endings)

    @asynccontextmanager
    async def change(
        self, who: Principal, action: str, kind: str, subject_id: str, **details: JsonValue
    ) -> AsyncIterator[dict[str, JsonValue]]:
        """Write down a change before it is made, and then what became of it. Raises `Unavailable`: it is not made.

        What the caller puts into the mapping is written with the end of what was completed.
        Raises `Unsettled` for one that goes on after its request: whoever keeps its command, or cannot, ends the entry.
        """
        actor = Actor(account_id=who.account_id, via="badge")
        subject = Subject(kind=kind, id=subject_id)
        open_entry = self.begin(
            AuditEntry(
                organization_id=who.organization_id, actor=actor, action=action, subject=subject, details=details
            )
        )
        deadline = current_deadline()
        parts_before = deadline.parts_done if deadline is not None else 0
        found: dict[str, JsonValue] = {}
        try:
            await open_entry.written()
            yield found
        except StillRunning as error:
            raise Unsettled(error, open_entry) from error
        except BaseException as error:
            await open_entry.end(ending_of(error, deadline, parts_before=parts_before))
            raise
        await open_entry.end(Ending(outcome="completed", details=found))

    async def record(self, entry: AuditEntry, *, code: str | None = None) -> None:
        """Write down something that is done at once, or that failed with a code.

        Raises `Unavailable` (`audit_unavailable`).
        """
        ending = Ending(outcome="failed" if code else "completed", code=code)
        row = AuditRow(id=new_id(), entry=entry, ended_at=utc_now(), ending=ending)
        open_entry = OpenEntry(self._entries, row, self._endings)
        try:
            await open_entry.written()
        except BaseException as error:
            await open_entry.end(ending_of(error, current_deadline()))
            raise

    async def page(
        self, org: OrganizationId, *, action: str | None, cursor: str | None, limit: int
    ) -> tuple[list[AuditRow], str | None]:
        """Entries of an organization, newest first, and where the next page begins. Raises `cursor_invalid`."""
        now = utc_now()
        # One more than asked for shows whether there is a next page. Entries past their time are removed by whole days
        # and once an hour, so they are also left out here.
        found = await self._entries.page(
            org, action=action, before=_row_id(cursor), oldest=now - self._kept, now=now, limit=limit + 1
        )
        return found[:limit], found[limit - 1].id if len(found) > limit else None

    @asynccontextmanager
    async def running(self, background: LoopSupervisor) -> AsyncIterator["AuditLog"]:
        """Remove old entries now and then, and write endings that could not be written at once."""
        async with (
            self._endings.running(background),
            background.running("old audit entries", self._forget_forever),
        ):
            yield self

    async def _forget_forever(self) -> None:
        while True:
            try:
                await self._entries.forget(utc_now() - self._kept)
            except PyMongoError as error:
                # The next round removes what this one left.
                log.warning("old audit entries not removed", extra={"reason": type(error).__name__})
            await asyncio.sleep(FORGET_EVERY_SECONDS)


def _row_id(cursor: str | None) -> str | None:
    if not cursor:
        return None
    try:
        began_at(cursor)
    except (ValueError, OverflowError):
        raise Invalid("cursor_invalid", "The cursor is none that this listing gave.") from None
    return cursor
