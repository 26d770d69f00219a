"""The internal HTTP API: what other processes read."""

from collections.abc import Mapping
from typing import Annotated

from chassis.http.server import build_internal_api, caller_reader
from chassis.http.tokens import Caller, Tokens
from chassis.runtime.health import Check
from contracts.measures import highest_of
from contracts.messages.scheduler import JobStatus
from contracts.queries import scheduler as queries
from contracts.queries.base import Listing, Page
from contracts.task_types.base import TaskType
from contracts.values import JobId, RunId
from fastapi import Depends, FastAPI, Query
from pydantic import AwareDatetime

from scheduler.jobs import usecases
from scheduler.jobs.domain.final_figures import shown_progress
from scheduler.jobs.domain.history import JobFilter, Role
from scheduler.jobs.domain.job import Job
from scheduler.jobs.domain.measures import Measures
from scheduler.jobs.store import SchedulerStore

# The largest page of jobs in the public API.
LIMIT_MOST = 200
Limit = Annotated[int, Query(ge=1, description=f"How many at most; {LIMIT_MOST} even if more are asked for")]
LogOffset = Annotated[int | None, Query(ge=0, le=2**31 - 1, description="Lines of the log that were read before")]
Offset = Annotated[int, Query(ge=0, le=2**31 - 1, description="How many to skip")]


def build_api(store: SchedulerStore, tokens: Tokens, *, checks: Mapping[str, Check]) -> FastAPI:
    """The internal HTTP API of the scheduler."""
    app = build_internal_api("Cairn scheduler", checks=checks)
    read_caller = caller_reader(tokens)

    @app.get("/internal/jobs")
    async def list_jobs(
        caller: Annotated[Caller, Depends(read_caller)],
        limit: Limit = 50,
        offset: Offset = 0,
        task_type: TaskType | None = None,
        status: JobStatus | None = None,
        app_id: str | None = None,
        role: Role | None = None,
        since: AwareDatetime | None = None,
        until: AwareDatetime | None = None,
    ) -> Page[queries.Job]:
        asked = JobFilter(task_type=task_type, status=status, app_id=app_id, role=role, since=since, until=until)
        page = await usecases.list_jobs(
            store, caller.organization_id, asked, limit=min(limit, LIMIT_MOST), offset=offset
        )
        return Page(total=page.total, items=tuple(map(show_job, page.items)))

    @app.post("/internal/latest-jobs")
    async def latest_jobs(
        asked: queries.LatestJobsQuestion, caller: Annotated[Caller, Depends(read_caller)]
    ) -> Listing[queries.LatestJob]:
        found = await usecases.latest_jobs(store, caller.organization_id, asked.task_type, asked.app_ids)
        return Listing(
            items=tuple(queries.LatestJob(app_id=app_id, job=show_job(job)) for app_id, job in found.items())
        )

    @app.get("/internal/jobs/{job_id}")
    async def get_job(job_id: JobId, caller: Annotated[Caller, Depends(read_caller)]) -> queries.Job:
        return show_job(await usecases.get_job(store, caller.organization_id, job_id))

    @app.get("/internal/jobs/{job_id}/log")
    async def read_log(
        job_id: JobId, caller: Annotated[Caller, Depends(read_caller)], offset: LogOffset = None
    ) -> queries.JobLog:
        org = caller.organization_id
        if offset is None:
            return queries.JobLog(lines=tuple(await usecases.read_log(store, org, job_id)))
        tail = await usecases.follow_job_log(store, org, job_id, offset=offset)
        return queries.JobLog.model_validate(tail, from_attributes=True)

    @app.get("/internal/jobs/{job_id}/measures")
    async def read_measures(job_id: JobId, caller: Annotated[Caller, Depends(read_caller)]) -> queries.JobMeasures:
        return show_measures(await usecases.read_measures(store, caller.organization_id, job_id))

    @app.get("/internal/runs/{run_id}")
    async def get_run(run_id: RunId, caller: Annotated[Caller, Depends(read_caller)]) -> queries.Run:
        job = await usecases.get_run(store, caller.organization_id, run_id)
        return queries.Run(run_id=run_id, job=show_job(job))

    return app


def show_job(job: Job) -> queries.Job:
    """A job as other processes see it."""
    shown = job.model_copy(update={"progress": shown_progress(job)})
    return queries.Job.model_validate(shown, from_attributes=True)


def show_measures(measures: Measures) -> queries.JobMeasures:
    """What a job used, did and warned of, as other processes see it."""
    phases = [queries.JobPhase.model_validate(phase, from_attributes=True) for phase in measures.phases]
    return queries.JobMeasures(
        samples=measures.samples,
        highest=highest_of(measures.samples),
        totals=measures.earlier_totals.plus(measures.totals),
        phases=tuple(phases),
        paths=measures.paths,
        warnings=measures.warnings,
        warning_count=measures.earlier_warnings + measures.warning_count,
    )
