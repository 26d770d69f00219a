"""Announces the steps of a connection test while the test goes on."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.messaging.envelopes import envelope
from chassis.messaging.publisher import Publisher
from chassis.runtime.deadlines import at_most
from chassis.runtime.supervision import beside
from contracts.errors import CairnError
from contracts.messages.connector.base import ConnectorCommand
from contracts.messages.connector.connection_tests import Check, ConnectionChecked, TestReport
from contracts.values import CommandId

from connector.queue.lease import Lease

log = logging.getLogger(__name__)
LAST_SECONDS = 1.0
"""How long the report waits for its steps to be announced."""
_MAY_CHANGE = "repository"
"""The step of a store whose result the worker may still correct; it is announced with the report."""


class AnnouncedChecks:
    """The steps of one test, each announced once and in order."""

    def __init__(self, publisher: Publisher, lease: Lease, command: ConnectorCommand) -> None:
        self._publisher = publisher
        self._lease = lease
        self._command = command
        self._known, self._held = 0, False
        self._queue: asyncio.Queue[ConnectionChecked] = asyncio.Queue()

    def add(self, check: Check) -> None:
        """Announce a step soon."""
        # Those after one that is held back wait with it: they are announced in order.
        self._held = self._held or check.name == _MAY_CHANGE
        if not self._held:
            self._known += 1
            self._queue.put_nowait(self._event(self._known, check))

    def rest(self, report: TestReport) -> None:
        """Announce what was not announced yet: an integration need not tell of its steps before it reports them."""
        for number, check in enumerate(report.checks[self._known :], start=self._known + 1):
            self._queue.put_nowait(self._event(number, check))

    async def send_all(self) -> None:
        """Send what is there, then what comes, until the test has ended."""
        while True:
            event = await self._queue.get()
            try:
                await self._publisher.send(envelope(event, service="connector", cause=self._lease.work.cause))
            # The report has all steps, so that none is lost for good.
            except CairnError as error:
                log.warning("a step was not announced", extra={"app": self._command.app_id, "reason": error.code})
            finally:
                self._queue.task_done()

    async def sent(self) -> None:
        """Return when all is announced, or after a moment: nobody waits for a broker that does not answer."""
        try:
            async with at_most(LAST_SECONDS):
                await self._queue.join()
        except TimeoutError:
            log.warning("steps were not announced in time", extra={"app": self._command.app_id})

    def _event(self, number: int, check: Check) -> ConnectionChecked:
        return ConnectionChecked(
            organization_id=self._command.organization_id,
            app_id=self._command.app_id,
            command_id=CommandId(self._lease.work.id),
            number=number,
            check=check,
        )


@asynccontextmanager
async def announcing(publisher: Publisher, lease: Lease, command: ConnectorCommand) -> AsyncIterator[AnnouncedChecks]:
    """Announce the steps of a test in the background; at the end all of them are announced, before the report is."""
    announced = AnnouncedChecks(publisher, lease, command)
    async with beside("steps of a connection test", announced.send_all):
        yield announced
        await announced.sent()
