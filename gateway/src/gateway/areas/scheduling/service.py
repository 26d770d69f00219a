"""Runs of tasks and the jobs they become."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from chassis.messaging.command_client import Commands
from chassis.telemetry.tracing import span
from contracts.errors import Conflict, NotFound
from contracts.messages.assignment import App
from contracts.messages.catalog import Resource
from contracts.messages.scheduler import FINAL_STATUSES, USUAL_PRIORITY, CancelJob, RetryJob, RunTask
from contracts.queries.assignment import ReachableApp
from contracts.queries.scheduler import Job, JobMeasures
from contracts.task_types.base import TaskType
from contracts.tasks import Task, TaskOptions
from contracts.values import JobId, RunId

from gateway.access.principal import Principal
from gateway.areas.connectors.preconditions import check_complete, check_offered, check_unlocked, resource_gone
from gateway.areas.connectors.service import reference
from gateway.areas.scheduling.job_log import log_lines, log_text
from gateway.clients.assignment import AssignmentClient
from gateway.clients.catalog import CatalogClient
from gateway.clients.pools import pool_of
from gateway.clients.scheduler import SchedulerClient
from gateway.idempotency.intents import Intent


@dataclass(frozen=True)
class RunRequest:
    """What a client wants run, once and now."""

    type: TaskType
    origin_id: str
    target_id: str | None = None
    options: TaskOptions = field(default_factory=TaskOptions)
    edge_tags: tuple[str, ...] = ()
    priority: int = USUAL_PRIORITY


@dataclass(frozen=True)
class PlannedRun:
    """A run that nothing forbids: its connectors are complete and their resources not locked."""

    task: Task
    pool: str
    priority: int

    def with_options(self, options: TaskOptions) -> "PlannedRun":
        """The same run with other options."""
        return replace(self, task=self.task.model_copy(update={"options": options}))


@dataclass(frozen=True)
class Started:
    """A run and its job."""

    run_id: str
    job_id: str


@dataclass(frozen=True)
class FollowedLog:
    """What follows in a log, and from where to ask next."""

    text: str
    next_offset: int
    is_complete: bool
    """Whether nothing follows, now and ever."""


@dataclass(frozen=True)
class Runs:
    """What can be done with runs and jobs."""

    catalog: CatalogClient
    assignment: AssignmentClient
    scheduler: SchedulerClient
    commands: Commands

    async def start(self, who: Principal, asked: RunRequest, intent: Intent) -> Started:
        """Run a task once. Raises `Conflict` for incomplete connectors, locked resources, and edges."""
        with span("gateway.run_task"):
            return await self.send(who, await self.plan(who, asked), intent)

    async def plan(self, who: Principal, asked: RunRequest) -> PlannedRun:
        """Look whether a task can be run. Raises as `start`; nothing is changed."""
        if asked.edge_tags:
            # There are no edges yet. Running it elsewhere would not be what was asked for.
            tags = ", ".join(asked.edge_tags)
            raise Conflict("edge_not_found", f"No edge has all of these tags: {tags}.")
        origin, target = await self._apps(who, asked.origin_id, asked.target_id)
        task = Task(
            type=asked.type,
            origin=reference(origin),
            target=reference(target) if target else None,
            options=asked.options,
        )
        return PlannedRun(task, pool_of(*filter(None, (origin, target))), asked.priority)

    async def send(self, who: Principal, planned: PlannedRun, intent: Intent, *, is_last: bool = True) -> Started:
        """Start a run, once for each intent. `is_last`: nothing of the request follows, as for `carry_out`."""
        command = RunTask(
            organization_id=who.organization_id,
            job_id=JobId(intent.id_for("job")),
            run_id=RunId(intent.id_for("run")),
            task=planned.task,
            pool=planned.pool,
            priority=planned.priority,
        )
        carry_out = self.commands.carry_out if is_last else self.commands.carry_out_part
        result = await carry_out(command, **intent.ids)
        return Started(str(result.get("run_id", command.run_id)), str(result.get("job_id", command.job_id)))

    async def retry(self, who: Principal, job_id: str, intent: Intent, *, priority: int | None = None) -> Job:
        """Run the task of a job once more; the new job. Raises like `start`, for connectors that are gone as well."""
        with span("gateway.retry_job"):
            former = await self.scheduler.job(who, job_id)
            if former.status not in FINAL_STATUSES:
                # Said before its connectors are looked at, which may be gone or locked too.
                raise Conflict(
                    "job_not_finished", f"Only a job that is over can be retried: this one is {former.status}."
                )
            parties = former.task.target.id if former.task.target else None
            origin, target = await self._apps(who, former.task.origin.id, parties)
            command = RetryJob(
                organization_id=who.organization_id,
                job_id=JobId(job_id),
                new_job_id=JobId(intent.id_for("job")),
                run_id=RunId(intent.id_for("run")),
                origin=reference(origin),
                target=reference(target) if target else None,
                pool=pool_of(*filter(None, (origin, target))),
                priority=priority,
            )
            result = await self.commands.carry_out(command, **intent.ids)
            return await self.scheduler.job(who, str(result.get("job_id", command.new_job_id)))

    async def _apps(
        self, who: Principal, origin_id: str, target_id: str | None
    ) -> tuple[ReachableApp, ReachableApp | None]:
        origin, target = await asyncio.gather(
            self._app(who, origin_id, "origin"), self._app(who, target_id, "target") if target_id else _nothing()
        )
        apps = [app for app in (origin, target) if app]
        for app in apps:
            check_complete(app)
            check_offered(app)
        # An operator may have locked the resource after the connector was made, so it is read now.
        check_unlocked(await asyncio.gather(*(self._resource(who, app) for app in _one_of_each_resource(apps))))
        return origin, target

    async def _app(self, who: Principal, app_id: str, part: str) -> ReachableApp:
        try:
            return await self.assignment.app(who, app_id)
        except NotFound as refused:
            raise NotFound(refused.code, f"There is no such connector (the {part} of the task).") from None

    async def _resource(self, who: Principal, app: App) -> Resource:
        try:
            return await self.catalog.resource(who, app.resource.id)
        except NotFound:
            raise resource_gone(app) from None

    async def cancel(self, who: Principal, job_id: str, intent: Intent) -> Job:
        """Ask a job to stop. It is over once its status says so."""
        with span("gateway.cancel_job"):
            command = CancelJob(organization_id=who.organization_id, job_id=JobId(job_id))
            await self.commands.carry_out(command, **intent.ids)
            return await self.scheduler.job(who, job_id)

    async def log(self, who: Principal, job_id: str) -> str:
        """The log of a job as plain text."""
        job, log = await asyncio.gather(self.scheduler.job(who, job_id), self.scheduler.job_log(who, job_id))
        return log_text(job, log.lines)

    async def log_from(self, who: Principal, job_id: str, offset: int) -> FollowedLog:
        """The lines of a log after the first `offset` ones."""
        log = await self.scheduler.job_log(who, job_id, offset=offset)
        if log.next_offset is None:
            # A scheduler of the version before, which tells the whole log.
            rest = log.lines[offset:]
            return FollowedLog(log_lines(rest), offset + len(rest), is_complete=False)
        return FollowedLog(log_lines(log.lines), log.next_offset, log.is_complete)

    async def state(self, who: Principal, job_id: str) -> tuple[Job, JobMeasures]:
        """How a job stands, and what it used, did and warned of."""
        job, measures = await asyncio.gather(self.scheduler.job(who, job_id), self.scheduler.job_measures(who, job_id))
        return job, measures


def _one_of_each_resource(apps: Iterable[ReachableApp]) -> Iterable[ReachableApp]:
    """Of connectors that share a resource the first one."""
    found: dict[str, ReachableApp] = {}
    for app in apps:
        found.setdefault(app.resource.id, app)
    return found.values()


async def _nothing() -> None:
    return None
