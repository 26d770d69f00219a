"""One-off runs and jobs."""

from contextlib import nullcontext
from typing import Annotated, Literal

from contracts.messages.scheduler import JobStatus
from contracts.queries.restore_index import Time
from contracts.task_types.base import TaskType
from contracts.tasks import DELETING
from fastapi import APIRouter, Depends, Query
from fastapi.responses import PlainTextResponse

from gateway.access.rights import Right
from gateway.areas.operations.service import Operations
from gateway.areas.scheduling.job_search import JobsAsked, find_jobs
from gateway.areas.scheduling.run_jobs import job_of_run
from gateway.areas.scheduling.schemas.answers import JobView, RunView, StartedView, job_view
from gateway.areas.scheduling.schemas.requests import RetryBody, RunBody
from gateway.areas.scheduling.schemas.state import JobStateView, state_view
from gateway.areas.scheduling.service import Runs
from gateway.audit_log.entries import DELETE_SNAPSHOTS, PRUNE
from gateway.clients.scheduler import SchedulerClient
from gateway.http.answers import PageView, page
from gateway.http.dependencies import LARGEST_OFFSET, PAGE_ROWS, Audit, RequestIntent, Who, provided
from gateway.http.openapi import headers, problems, writes

router = APIRouter(prefix="/api/v1", tags=["scheduling"])
Service = Annotated[Runs, provided(Runs)]
Scheduler = Annotated[SchedulerClient, provided(SchedulerClient)]
KeptOperations = Annotated[Operations, provided(Operations)]
# Clients look for a job in pages of 200; with fewer they would stop at the first one.
JOB_ROWS = 200
_DELETIONS = {name: PRUNE if name == "prune" else DELETE_SNAPSHOTS for name in DELETING}
_LOG_EXAMPLE = "2026-11-23T08:00:00.120Z info backup started\n"


@router.post("/scheduling/scheduler/run", summary="Run a task once, now", responses=writes(404, 409))
async def start_run(body: RunBody, audit: Audit, runs: Service, who: Who, intent: RequestIntent) -> StartedView:
    """The id is that of the run, not of its job. Refused (`resource_locked`) when a resource is locked.

    A run that deletes restore points stands in the audit log.
    """
    who.require(Right.RUN)
    action = _DELETIONS.get(body.type)
    asked = body.config.model_dump(mode="json", exclude_defaults=True)
    async with audit.change(who, action, "store", body.origin_id, config=asked) if action else nullcontext():
        started = await runs.start(who, body.request(), intent)
    return StartedView(id=started.run_id, job_id=started.job_id)


@router.get("/scheduling/scheduler/run/{at_id}", summary="Follow a run", responses=problems(404))
async def read_run(at_id: str, scheduler: Scheduler, operations: KeptOperations, who: Who) -> RunView:
    """`job` is absent until there is one. The run is over once `job.stopped_at` is not null."""
    who.require(Right.READ)
    job = await job_of_run(scheduler, operations, who, at_id)
    return RunView(id=at_id, job=job_view(job) if job else None)


async def jobs_asked(
    task_type: Annotated[TaskType | None, Query(description="Only jobs of this type")] = None,
    task_status: Annotated[JobStatus | None, Query(description="Only jobs with this status")] = None,
    task_id: Annotated[str | None, Query(min_length=1, description="Only the job of this run")] = None,
    resource_id: Annotated[
        str | None, Query(min_length=1, description="Only jobs that this connector is a party of")
    ] = None,
    resource_type: Annotated[
        Literal["origin", "target"] | None,
        Query(description="As what `resource_id` is a party; left out: as either; refused without one"),
    ] = None,
    since: Annotated[Time | None, Query(description="Only jobs that were asked for then or later")] = None,
    until: Annotated[Time | None, Query(description="Only jobs that were asked for before then")] = None,
) -> JobsAsked:
    """Which jobs a client asks for."""
    return JobsAsked(
        task_id=task_id,
        task_type=task_type,
        status=task_status,
        resource_id=resource_id,
        resource_type=resource_type,
        since=since,
        until=until,
    )


@router.get("/scheduling/jobs", summary="List jobs")
async def list_jobs(
    scheduler: Scheduler,
    who: Who,
    asked: Annotated[JobsAsked, Depends(jobs_asked)],
    limit: Annotated[int, Query(ge=0, description=f"Rows at most; never more than {JOB_ROWS}; 0: {PAGE_ROWS}")] = 0,
    offset: Annotated[int, Query(ge=0, description="Rows to skip")] = 0,
) -> PageView[JobView]:
    """Newest first; jobs of one-off runs too. Of a job that was over long ago `retried_by` may be missing here."""
    if not who.may(Right.READ):
        return page(0, [])
    limit, offset = min(limit or PAGE_ROWS, JOB_ROWS), min(offset, LARGEST_OFFSET)
    found = await find_jobs(scheduler, who, asked, limit=limit, offset=offset)
    return page(found.total, [job_view(j) for j in found.items])


@router.get("/scheduling/jobs/{job_id}", summary="Read a job", responses=problems(404))
async def read_job(job_id: str, scheduler: Scheduler, who: Who) -> JobView:
    """One job, with the latest progress its worker reported."""
    who.require(Right.READ)
    return job_view(await scheduler.job(who, job_id))


@router.get(
    "/scheduling/jobs/{job_id}/log",
    summary="Read the log of a job",
    response_class=PlainTextResponse,
    responses={
        200: {
            "content": {"text/plain": {"example": _LOG_EXAMPLE}},
            "headers": headers("Cairn-Next-Offset", "Cairn-Log-Complete"),
        },
        **problems(404),
    },
)
async def read_job_log(
    job_id: str,
    runs: Service,
    who: Who,
    offset: Annotated[
        int | None,
        Query(
            ge=0, description="Lines that were read before, as `Cairn-Next-Offset` has it; 0: to follow from the start"
        ),
    ] = None,
) -> PlainTextResponse:
    """One line for each entry: time, level, text. Never empty once the job is over.

    With an `offset` the lines that follow, which may be none, and two headers: to follow a log, ask again with
    `Cairn-Next-Offset` until `Cairn-Log-Complete` is `true`. Without, of a very long log the beginning and the end.
    """
    who.require(Right.READ)
    if offset is None:
        return PlainTextResponse(await runs.log(who, job_id))
    tail = await runs.log_from(who, job_id, min(offset, LARGEST_OFFSET))
    told = {"Cairn-Next-Offset": str(tail.next_offset), "Cairn-Log-Complete": str(tail.is_complete).lower()}
    return PlainTextResponse(tail.text, headers=told)


@router.get("/scheduling/jobs/{job_id}/state", summary="Read the state of a job", responses=problems(404))
async def read_job_state(job_id: str, runs: Service, who: Who) -> JobStateView:
    """How the job stands, and what it used, did and warned of; kept when it is over."""
    who.require(Right.READ)
    return state_view(*await runs.state(who, job_id))


# The product's own path, and that of the job as all else that is done with one.
@router.post(
    "/scheduling/scheduler/jobs/cancel/{job_id}",
    summary="Cancel a job",
    operation_id="cancel_scheduled_job",
    responses=writes(404, 409),
)
@router.post("/scheduling/jobs/{job_id}/cancel", summary="Cancel a job", responses=writes(404, 409))
async def cancel_job(job_id: str, runs: Service, who: Who, intent: RequestIntent) -> JobView:
    """Asks the job to stop; it is over once its status says so. Refused (`job_finished`) when it is over already."""
    who.require(Right.RUN)
    return job_view(await runs.cancel(who, job_id, intent))


@router.post("/scheduling/jobs/{job_id}/retry", summary="Retry a job", responses=writes(404, 409))
async def retry_job(
    job_id: str,
    audit: Audit,
    scheduler: Scheduler,
    runs: Service,
    who: Who,
    *,
    intent: RequestIntent,
    body: RetryBody | None = None,
) -> JobView:
    """Runs the task of a job that is over once more, as a new job, which is answered and names it in `retry_of`.

    Refused while the job is not over (`job_not_finished`) or a retry of it is not (`retry_unfinished`), and as a run
    is: connectors that were removed, resources that are locked. The task is the same: what says otherwise is refused.
    """
    who.require(Right.RUN)
    task = (await scheduler.job(who, job_id)).task
    action = _DELETIONS.get(task.type)
    async with audit.change(who, action, "store", task.origin.id, retry_of=job_id) if action else nullcontext():
        return job_view(await runs.retry(who, job_id, intent, priority=body.priority if body else None))
