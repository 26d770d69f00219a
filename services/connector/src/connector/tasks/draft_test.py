"""Tests a connection that nobody has saved.

It is not queued as other work is: a queue is kept, and nothing of this may be. A worker that dies in between has it
done again by another one, since the message is not committed before its outcome is sent; it changes nothing.
"""

import logging
from dataclasses import replace
from datetime import timedelta

from chassis.ids import utc_now
from chassis.messaging.envelopes import accepted
from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.envelope import Envelope
from contracts.errors import CairnError
from contracts.messages.assignment import App
from contracts.messages.connector.connection_tests import Check, TestDraft, TestReport
from contracts.values import OrganizationId

from connector.context.worker_context import WorkerContext

log = logging.getLogger(__name__)
MOST_AT_ONCE = 8
"""A few of the messages that are handled at once: each may take as long as a system that does not answer."""
WAITED_MAX = timedelta(seconds=60)
"""Nobody waits any longer, and what is typed by then is something else."""


class DraftTests:
    """Tests drafts for as long as the worker runs."""

    def __init__(self, context: WorkerContext, *, most_at_once: int = MOST_AT_ONCE) -> None:
        self._context = context
        self._most = most_at_once
        self._running = 0

    async def test(self, command: Envelope[TestDraft]) -> None:
        """Connect for real, and send the report as the outcome of the command; nothing of it is kept."""
        draft, org = command.data.app, command.data.organization_id
        with span("connector.test_draft", attributes={semconv.ORGANIZATION: org}):
            report = await self._report(command)
            log.info("draft tested", extra={"protocol": draft.protocol, "ok": report.ok})
            outcome = accepted(command, report.model_dump(mode="json"), service="connector")
            await self._context.publisher.send(outcome)

    async def _report(self, command: Envelope[TestDraft]) -> TestReport:
        if utc_now() - command.time > WAITED_MAX:
            return _not_begun("the workers came to it too late; ask for it anew")
        if self._running >= self._most:
            return _not_begun("the workers test other connections; ask for it again soon")
        self._running += 1
        try:
            return await self._connect(command.data.organization_id, command.data.app)
        finally:
            self._running -= 1

    async def _connect(self, org: OrganizationId, app: App) -> TestReport:
        try:
            # Of a store that would be changed: what is at the new place may be another repository than it had.
            noted = await self._context.store.repositories.of(org, app.id)
            configuration = replace(self._context.configuration(org, app), repository_id=noted)
            integration = self._context.integrations.connection_test(app.protocol)
        except CairnError as error:
            return _not_begun(error.detail)
        return await integration.test(configuration)


def _not_begun(why: str) -> TestReport:
    return TestReport(ok=False, checks=(Check(name="reachable", ok=False, duration_ms=0, detail=why),))
