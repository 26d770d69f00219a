"""The door for reads of other processes."""

from collections.abc import Mapping
from typing import Annotated, Any

from chassis.http.server import build_internal_api, caller_reader
from chassis.http.tokens import Caller, Tokens
from chassis.runtime.health import Check
from contracts.messages.scheduler import JobStatus
from contracts.tasks import TaskType
from contracts.values import JobId, RunId
from fastapi import Depends, FastAPI, Query

from scheduler.jobs import usecases
from scheduler.jobs.domain.job import Job
from scheduler.jobs.store import SchedulerStore

LIMIT_MOST = 200
Limit = Annotated[int, Query(ge=1, description=f"How many at most; {LIMIT_MOST} even if more are asked for")]
Offset = Annotated[int, Query(ge=0, le=2**31 - 1, description="How many to skip")]

_INTERNAL = {"pool", "cancel_requested_at", "notes"}


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
    ) -> dict[str, Any]:
        page = await usecases.list_jobs(
            store,
            caller.organization_id,
            task_type=task_type,
            status=status,
            limit=min(limit, LIMIT_MOST),
            offset=offset,
        )
        return {"total": page.total, "items": [show_job(job) for job in page.items]}

    @app.get("/internal/jobs/{job_id}")
    async def get_job(job_id: JobId, caller: Annotated[Caller, Depends(read_caller)]) -> dict[str, Any]:
        return show_job(await usecases.get_job(store, caller.organization_id, job_id))

    @app.get("/internal/jobs/{job_id}/log")
    async def read_log(job_id: JobId, caller: Annotated[Caller, Depends(read_caller)]) -> dict[str, Any]:
        lines = await usecases.read_log(store, caller.organization_id, job_id)
        return {"lines": [line.model_dump(mode="json") for line in lines]}

    @app.get("/internal/runs/{run_id}")
    async def get_run(run_id: RunId, caller: Annotated[Caller, Depends(read_caller)]) -> dict[str, Any]:
        job = await usecases.get_run(store, caller.organization_id, run_id)
        return {"run_id": run_id, "job": show_job(job)}

    return app


def show_job(job: Job) -> dict[str, Any]:
    """A job as other processes see it; times are RFC 3339 with milliseconds, or null."""
    return job.model_dump(mode="json", by_alias=True, exclude=_INTERNAL)
