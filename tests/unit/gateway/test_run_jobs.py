"""Runs that the scheduler has not heard of yet."""

from typing import Any

import pytest
from chassis.runtime.supervision import LoopSupervisor
from contracts.errors import NotFound
from contracts.messages.outcomes import Problem
from contracts.queries.scheduler import Job
from gateway.access.principal import Principal
from gateway.areas.operations.service import Operations
from gateway.areas.scheduling.run_jobs import job_of_run

from tests.support import builders as make
from tests.support.waiting import eventually_async
from tests.unit.gateway.test_domain import a_job
from tests.unit.gateway.test_operations import MemoryOperations, Platform
from tests.unit.scheduler.builder import run_task

WHO = Principal(account_id="someone", organization_id=make.ORG)
STRANGER = Principal(account_id="stranger", organization_id="org-foreign")
REFUSED = Problem(code="target_missing", kind="invalid", detail="A backup needs a store as its target.")


class Scheduler:
    """Knows the runs that it was told of."""

    def __init__(self, code: str = "run_not_found") -> None:
        self.jobs: dict[str, Job] = {}
        self.code = code

    async def job_of_run(self, _: Principal, run_id: str) -> Job:
        if run_id not in self.jobs:
            raise NotFound(self.code, "There is no such run.")
        return self.jobs[run_id]


async def test_a_run_whose_start_is_an_open_operation_has_no_job_yet() -> None:
    platform, requests, started = Platform(), MemoryOperations(), make.wrap(run_task(org=make.ORG))
    scheduler = Scheduler()
    platform.away = True
    known: Any = scheduler
    async with Operations(requests, platform.commands).running(LoopSupervisor()) as operations:
        await operations.begin(started, taken=False)
        assert await job_of_run(known, operations, WHO, started.data.run_id) is None
        for who, run_id in ((WHO, "another-run"), (WHO, started.data.job_id), (STRANGER, started.data.run_id)):
            with pytest.raises(NotFound, match="run_not_found"):
                await job_of_run(known, operations, who, run_id)

        platform.away = False
        scheduler.jobs[started.data.run_id] = a_job()
        assert await job_of_run(known, operations, WHO, started.data.run_id) == a_job()


async def test_a_run_that_was_refused_later_is_none() -> None:
    platform, requests, started = Platform(REFUSED), MemoryOperations(), make.wrap(run_task(org=make.ORG))
    nothing: Any = Scheduler()
    async with Operations(requests, platform.commands).running(LoopSupervisor()) as operations:
        await operations.begin(started, taken=True)
        await eventually_async(lambda: started.id in requests.ends)
        with pytest.raises(NotFound, match="run_not_found"):
            await job_of_run(nothing, operations, WHO, started.data.run_id)


async def test_a_run_whose_operation_ended_while_the_scheduler_was_asked_has_its_job() -> None:
    requests, started = MemoryOperations(), make.wrap(run_task(org=make.ORG))

    class Late(Scheduler):
        async def job_of_run(self, who: Principal, run_id: str) -> Job:
            try:
                return await super().job_of_run(who, run_id)
            finally:
                self.jobs[run_id] = a_job()

    late: Any = Late()
    async with Operations(requests, Platform().commands).running(LoopSupervisor()) as operations:
        await operations.begin(started, taken=True)
        await eventually_async(lambda: started.id in requests.ends)
        assert await job_of_run(late, operations, WHO, started.data.run_id) == a_job()


async def test_the_id_of_a_job_is_no_run() -> None:
    other: Any = Scheduler("id_of_job")
    with pytest.raises(NotFound, match="id_of_job"):
        await job_of_run(other, Operations(MemoryOperations(), Platform().commands), WHO, "job-1")
