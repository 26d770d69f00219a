"""A restore point that cannot be read again stays, and does not count as compared."""

import asyncio
from pathlib import Path

import pytest
from connector.engine.port import PROBLEMS_MAX, BackupOutcome
from connector.jobs.listing_comparison import compare_with_listing, is_compared
from contracts.task_types.backup import BackupResult
from integrations.sdk.errors import Cancelled
from restic_reader.errors import Damaged

from tests.unit.connector.jobs.comparisons import MANY, NAMED, BreakingOff, Doubtful, Stopping
from tests.unit.connector.parts import ORG, an_app
from tests.unit.connector.workshop import Workshop


async def compared(
    workshop: Workshop, comparison: Doubtful, said: list[str], *, cancel: asyncio.Event | None = None
) -> BackupOutcome:
    snapshot_id = await workshop.left_behind()
    result = BackupOutcome(
        snapshot_id=snapshot_id,
        summary=BackupResult(snapshot_id=snapshot_id, files_processed=1, bytes_processed=7),
        problems=(NAMED,),
        problem_count=1,
    )
    return await compare_with_listing(
        workshop.context,
        ORG,
        an_app("store"),
        comparison=comparison,
        result=result,
        on_log=lambda _, text: said.append(text),
        cancel=cancel or asyncio.Event(),
    )


@pytest.fixture
async def workshop(tmp_path: Path) -> Workshop:
    return await Workshop(tmp_path).open()


async def test_a_store_that_cannot_be_read_costs_no_restore_point(workshop: Workshop) -> None:
    workshop.unreadable = Damaged("snapshot", "x", why="bits fell off")
    said: list[str] = []

    result = await compared(workshop, Doubtful(), said)

    assert [problem.code for problem in result.problems] == ["not_compared", ""]
    assert (result.problem_count, is_compared(result)) == (2, False)
    assert said == [result.problems[0].as_line]


async def test_what_is_not_compared_is_told_however_much_differs(workshop: Workshop) -> None:
    result = await compared(workshop, BreakingOff(), [])

    assert (len(result.problems), result.problem_count) == (PROBLEMS_MAX, MANY + 2)
    assert not is_compared(result)


async def test_figures_that_add_up_need_no_reading(workshop: Workshop) -> None:
    workshop.unreadable = Damaged("snapshot", "x", why="bits fell off")

    result = await compared(workshop, Doubtful(is_right=True), [])

    assert (result.problems, is_compared(result)) == ((NAMED,), True)


async def test_a_run_that_is_cancelled_while_it_asks_is_not_taken_for_one_that_could_not(workshop: Workshop) -> None:
    with pytest.raises(Cancelled):
        await compared(workshop, Stopping(), [])


async def test_a_restore_point_is_read_no_longer_than_until_the_run_is_cancelled(workshop: Workshop) -> None:
    cancel = asyncio.Event()
    cancel.set()

    with pytest.raises(Cancelled):
        await compared(workshop, Doubtful(), [], cancel=cancel)
