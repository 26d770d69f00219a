"""The job that a run became."""

from contracts.errors import NotFound
from contracts.queries.scheduler import Job

from gateway.access.principal import Principal
from gateway.areas.operations.service import Operations
from gateway.clients.scheduler import SchedulerClient


async def job_of_run(scheduler: SchedulerClient, operations: Operations, who: Principal, run_id: str) -> Job | None:
    """The job of a run; None until there is one, also while the scheduler has not heard of the run. Raises `NotFound`.

    Of a run whose start became an operation the client has the id already.
    """
    try:
        return await scheduler.job_of_run(who, run_id)
    except NotFound as error:
        operation = await operations.of_run(who, run_id) if error.code == "run_not_found" else None
        if operation is None:
            raise
    # One that is over may have ended after the scheduler was asked.
    return await scheduler.job_of_run(who, run_id) if operation.end else None
