"""Reads of the scheduler."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chassis.http.client import ServiceClient
from contracts.errors import NotFound
from contracts.queries.base import Listing, Page
from contracts.queries.scheduler import MOST_APPS_ASKED, Job, JobLog, JobMeasures, LatestJob, Run
from contracts.task_types.base import TaskType

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

    async def latest_jobs(self, who: Principal, task_type: TaskType, app_ids: Sequence[str]) -> Mapping[str, Job]:
        """The last job of a type of each of some apps, by the app; of those that have one."""
        parts = [tuple(app_ids[start:][:MOST_APPS_ASKED]) for start in range(0, len(app_ids), MOST_APPS_ASKED)]
        answers = await asyncio.gather(*(self._latest_jobs(who, task_type, part) for part in parts))
        return {each.app_id: each.job for answer in answers for each in answer}

    async def _latest_jobs(self, who: Principal, task_type: TaskType, app_ids: Sequence[str]) -> Sequence[LatestJob]:
        # Asked by POST, as so many ids are too much for an address; nothing changes by it.
        question = {"task_type": task_type, "app_ids": app_ids}
        answer = await self.service.post("/internal/latest-jobs", who.caller(), question)
        return Listing[LatestJob].model_validate(answer).items

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
