"""What messages ask for is queued as long as it is known whether it was done before."""

from datetime import UTC, datetime, timedelta

import pytest
from chassis.messaging.envelopes import envelope
from connector.domain.work import RETENTION, SlotGroup, expired_days
from connector.queue.intake import WakeUps, request_cancellation, request_command, request_task
from contracts.errors import PermanentError
from contracts.messages.scheduler import TaskCancelRequested
from contracts.values import JobId

from tests.unit.connector.parts import ORG, TEST, memory_store, task_request, test_command


async def test_what_was_asked_for_too_long_ago_is_refused() -> None:
    store, wake_ups = memory_store(), WakeUps()
    long_ago = {"time": datetime.now(UTC) - RETENTION}
    request = envelope(TaskCancelRequested(organization_id=ORG, job_id=JobId("job")), service="scheduler")

    for asked in (
        request_task(store, wake_ups, task_request().model_copy(update=long_ago)),  # type: ignore[arg-type]
        request_command(
            store, wake_ups, test_command().model_copy(update=long_ago), kind=TEST, slots=SlotGroup.COMMANDS
        ),
        request_cancellation(store, wake_ups, request.model_copy(update=long_ago), notice=lambda _: None),  # type: ignore[arg-type]
    ):
        with pytest.raises(PermanentError, match="request_too_old"):
            await asked

    assert store.work.known == store.work.cancelled == set()  # type: ignore[attr-defined]


async def test_what_was_asked_for_a_while_ago_is_taken_in() -> None:
    store = memory_store()
    asked = task_request().model_copy(update={"time": datetime.now(UTC) - RETENTION + timedelta(days=1)})

    await request_task(store, WakeUps(), asked)  # type: ignore[arg-type]

    assert store.work.known == {"job"}  # type: ignore[attr-defined]


def test_nothing_is_forgotten_whose_request_would_still_be_taken_in() -> None:
    now = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)

    latest = expired_days(now)[0]

    ended = datetime(latest.year, latest.month, latest.day, tzinfo=UTC) + timedelta(days=1)
    assert now - ended >= RETENTION
