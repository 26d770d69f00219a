"""What of a store is taken in: all that can be read, and of each job what it announced."""

from pathlib import Path

import pytest
from chassis.errors import TemporaryError
from connector.domain import Kind
from connector.repository.errors import Damaged, StoreUnavailable
from connector.usecases.adoption import adopt_restore_points
from contracts.connector import RestorePointCreated

from tests.unit.connector_worker.workshop import Workshop

DAMAGED = Damaged("tree", "x", why="of a test")


@pytest.fixture
async def workshop(tmp_path: Path) -> Workshop:
    return await Workshop(tmp_path).open()


async def adopt(workshop: Workshop) -> list[str]:
    lease = await workshop.command(kind=Kind.ADOPT)
    await adopt_restore_points(workshop.equipment, lease, lease.work.cause.data)  # type: ignore[arg-type]
    return [each.restore_point.snapshot_id for each in workshop.told(RestorePointCreated)]


async def test_a_snapshot_that_cannot_be_read_does_not_stop_the_others(workshop: Workshop) -> None:
    first, damaged, last = [await workshop.left_behind() for _ in range(3)]
    workshop.damaged[damaged] = DAMAGED

    assert await adopt(workshop) == [first, last]
    assert workshop.lister.listed == [first, last]


async def test_a_directory_that_cannot_be_read_does_not_stop_the_others(workshop: Workshop) -> None:
    damaged, last = [await workshop.left_behind() for _ in range(2)]
    workshop.lister.failures[damaged] = DAMAGED

    await adopt(workshop)

    assert workshop.lister.listed == [last]


async def test_a_store_that_does_not_answer_is_tried_again(workshop: Workshop) -> None:
    workshop.damaged[await workshop.left_behind()] = StoreUnavailable("gone")

    with pytest.raises(TemporaryError):
        await adopt(workshop)


async def test_what_a_job_left_beside_the_one_it_announced_is_passed_over(workshop: Workshop) -> None:
    _, announced = [await workshop.left_behind() for _ in range(2)]
    await workshop.lost_attempt(made=announced)

    assert await adopt(workshop) == [announced]


async def test_a_copy_in_another_store_is_taken_in_though_its_job_announced_the_original(workshop: Workshop) -> None:
    copies = [await workshop.left_behind() for _ in range(2)]
    await workshop.lost_attempt(made="of another store")

    assert await adopt(workshop) == copies
