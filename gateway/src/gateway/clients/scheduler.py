"""Reads of the scheduler."""

from dataclasses import dataclass

from chassis.http.client import ServiceClient
from contracts.errors import NotFound
from contracts.queries.base import Page
from contracts.queries.scheduler import Job, JobLog, JobMeasures, Run

from gateway.access.principal import Principal
from gateway.clients.base import segment


@dataclass(frozen=True)
class SchedulerClient:
    """Jobs and runs. Unknown and foreign ids raise `NotFound`, silence `Unavailable`."""

    service: ServiceClient

    async def jobs(self, who: Principal, *, limit: int, offset: int, **asked: str | None) -> Page[Job]:
        """Jobs, newest first; `asked`: `task_type`, `status`, `app_id`, `role`, `since`, `until`."""
        params: dict[str, str | int] = {"limit": limit, "offset": offset}
        params |= {name: value for name, value in asked.items() if value}
        return Page[Job].model_validate(await self.service.get("/internal/jobs", who.caller(), params))

    async def job(self, who: Principal, job_id: str) -> Job:
        """One job."""
        path = f"/internal/jobs/{segment(job_id, missing='job')}"
        return Job.model_validate(await self.service.get(path, who.caller()))

    async def job_of_run(self, who: Principal, run_id: str) -> Job | None:
        """The job of a run; None until there is one."""
        path = f"/internal/runs/{segment(run_id, missing='run')}"
        return Run.model_validate(await self.service.get(path, who.caller())).job

    async def job_log(self, who: Principal, job_id: str, *, offset: int | None = None) -> JobLog:
        """The log of a job, oldest line first; with an offset, what follows after so many lines."""
        path = f"/internal/jobs/{segment(job_id, missing='job')}/log"
        params: dict[str, str | int] = {} if offset is None else {"offset": offset}
        return JobLog.model_validate(await self.service.get(path, who.caller(), params))

    async def job_measures(self, who: Principal, job_id: str) -> JobMeasures:
        """What a job used, did and warned of; nothing where there is no such job, or its scheduler tells none."""
        path = f"/internal/jobs/{segment(job_id, missing='job')}/measures"
        try:
            return JobMeasures.model_validate(await self.service.get(path, who.caller()))
        except NotFound:
            # Of a scheduler of the version before, which has no such route (0037).
            return JobMeasures()
