"""What a check of a store comes to, over memory."""

from pathlib import Path
from typing import Any

import pytest
from connector.engine.errors import StoreUnreachable
from connector.engine.port import CheckOutcome
from connector.tasks.check import check
from contracts.errors import TemporaryError
from contracts.task_types.check import CheckResult
from contracts.tasks import Task
from restic_reader.errors import StoreUnavailable

from tests.unit.connector.parts import TARGET
from tests.unit.connector.workshop import Workshop

CHECK = Task(type="check", origin=TARGET)


@pytest.fixture
async def workshop(tmp_path: Path) -> Workshop:
    return await Workshop(tmp_path).open()


async def test_a_store_that_goes_away_is_checked_again_later(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> CheckOutcome:
        raise StoreUnreachable("connection refused")

    monkeypatch.setattr(workshop.engine, "check", away)

    with pytest.raises(TemporaryError, match="connection refused"):
        await check(await workshop.job(task=CHECK))


async def test_an_outage_that_goes_on_is_awaited_and_one_from_the_start_is_reported_at_once(
    workshop: Workshop,
) -> None:
    workshop.silent = StoreUnavailable("gone")

    with pytest.raises(StoreUnreachable):
        await check(await workshop.job(task=CHECK))

    await workshop.lost_attempt()
    with pytest.raises(TemporaryError):
        await check(await workshop.job(task=CHECK))


async def test_all_findings_are_counted_and_the_first_ones_listed(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def damaged(*_: Any, **__: Any) -> CheckOutcome:
        return CheckOutcome(findings=("a pack is missing",), finding_count=2000)

    monkeypatch.setattr(workshop.engine, "check", damaged)

    outcome = await check(await workshop.job(task=CHECK))

    assert isinstance(outcome.result, CheckResult)
    assert (outcome.result.findings, outcome.result.finding_count) == (("a pack is missing",), 2000)
