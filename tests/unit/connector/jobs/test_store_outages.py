"""A store that goes away is waited for where a job has begun, and told of at once where it has not."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from connector.engine.errors import StoreUnreachable
from connector.jobs.definition import Job, JobOutcome
from connector.tasks.backup import back_up
from connector.tasks.check import check
from connector.tasks.prune import prune
from connector.tasks.restore import restore
from connector.tasks.sync import sync
from contracts.errors import TemporaryError
from contracts.messages.assignment import AppRef
from contracts.tasks import Task, TaskOptions
from contracts.values import AppId
from restic_reader.errors import StoreUnavailable

from tests.unit.connector.parts import BACKUP, SOURCE, TARGET
from tests.unit.connector.workshop import REPLICA, Workshop

REPLICA_REF = AppRef(id=AppId(REPLICA), revision=1, kind="store", name=REPLICA)
TASKS = [
    (back_up, BACKUP),
    (check, Task(type="check", origin=TARGET)),
    (prune, Task(type="prune", origin=TARGET, options=TaskOptions(day=1))),
    (restore, Task(type="restore", origin=TARGET, target=SOURCE)),
    (sync, Task(type="sync", origin=TARGET, target=REPLICA_REF)),
]
Run = Callable[[Job], Awaitable[JobOutcome]]


@pytest.fixture
async def workshop(tmp_path: Path) -> Workshop:
    opened = await Workshop(tmp_path).open()
    opened.silent = StoreUnavailable("gone")
    return opened


@pytest.mark.parametrize(("run", "task"), TASKS)
async def test_an_outage_that_meets_a_later_attempt_is_waited_for(workshop: Workshop, run: Run, task: Task) -> None:
    await workshop.lost_attempt()

    with pytest.raises(TemporaryError, match="gone") as caught:
        await run(await workshop.job(task=task))

    assert caught.value.code == "store_unreachable"


@pytest.mark.parametrize(("run", "task"), TASKS)
async def test_an_outage_from_the_start_is_told_at_once(workshop: Workshop, run: Run, task: Task) -> None:
    with pytest.raises(StoreUnreachable, match="gone"):
        await run(await workshop.job(task=task))
