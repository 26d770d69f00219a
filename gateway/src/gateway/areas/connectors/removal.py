"""Taking connectors out of use: what it would mean, and doing it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from chassis.messaging.command_client import Commands
from chassis.telemetry.tracing import span
from contracts.errors import CairnError, Conflict, NotFound, PreconditionFailed
from contracts.messages.assignment import App, RemoveApp
from contracts.messages.scheduler import CancelJob
from contracts.queries.restore_index import IndexedRestorePoint
from contracts.queries.scheduler import Job
from contracts.values import AppId, JobId

from gateway.access.principal import Principal
from gateway.areas.connectors.preconditions import check_not_held, check_not_in_use
from gateway.areas.connectors.revisions import ANY_REVISION, ExpectedRevision
from gateway.clients.assignment import AssignmentClient
from gateway.clients.restore_index import RestoreIndexClient
from gateway.clients.scheduler import SchedulerClient
from gateway.idempotency.intents import Intent

JOBS_A_PAGE = 200


@dataclass(frozen=True)
class Uses:
    """What uses a connector. Schedules and policies join the jobs here, once there are some."""

    jobs: Sequence[Job] = ()
    """Those that run or wait, newest first."""


@dataclass(frozen=True)
class Removal:
    """What it would mean to remove a connector."""

    app: App
    uses: Uses
    points: Sequence[IndexedRestorePoint]
    """Of a source those that were made of it, of a store those that it holds; of a destination none. Each is once
    among them, however many stores of one repository show it."""

    @property
    def held(self) -> int:
        """How many of the restore points are under legal hold."""
        return sum(point.legal_hold is not None for point in self.points)

    def refusals(self, *, force: bool) -> Sequence[CairnError]:
        """Why it is refused; nothing: it is not."""
        found = []
        for check in (self._check_holds, lambda: check_not_in_use(self.app, () if force else self.uses.jobs)):
            try:
                check()
            except Conflict as refused:
                found.append(refused)
        return found

    def _check_holds(self) -> None:
        if self.app.kind == "store":
            check_not_held(self.app, self.points)


@dataclass(frozen=True)
class Removals:
    """Removes connectors."""

    assignment: AssignmentClient
    scheduler: SchedulerClient
    restore_index: RestoreIndexClient
    commands: Commands

    async def preview(self, who: Principal, app_id: str) -> Removal:
        """What it would mean to remove a connector. Nothing is changed."""
        with span("gateway.preview_removal"):
            app = await self.assignment.app(who, app_id)
            uses, points = await asyncio.gather(self._uses(who, app), self._points(who, app))
            return Removal(app, uses, points)

    async def remove(
        self,
        who: Principal,
        app_id: str,
        intent: Intent,
        *,
        expected: ExpectedRevision = ANY_REVISION,
        force: bool = False,
    ) -> None:
        """Take a connector out of use; stored data is not touched.

        Raises `Conflict` (`store_has_holds`, and `connector_in_use` without `force`), and `PreconditionFailed` where it
        is not in the revision that is expected. By `force` jobs that use it are asked to stop before it is removed.
        """
        with span("gateway.remove_connector"):
            app = await self._find(who, app_id)
            if app is not None:
                await self._make_way(who, app, intent, expected, force=force)
            command = RemoveApp(
                organization_id=who.organization_id,
                app_id=AppId(app_id),
                expected_revision=expected.of(app) if app else None,
            )
            await self.commands.carry_out(command, **intent.ids)

    async def _find(self, who: Principal, app_id: str) -> App | None:
        try:
            return await self.assignment.app(who, app_id)
        except NotFound:
            return None  # The command says so, or that this very request removed it before.

    async def _make_way(
        self, who: Principal, app: App, intent: Intent, expected: ExpectedRevision, *, force: bool
    ) -> None:
        # Of other types restore points forbid nothing, so that nobody has to read them.
        uses, points = await asyncio.gather(
            self._uses(who, app), self._points(who, app) if app.kind == "store" else _none()
        )
        for refused in Removal(app, uses, points).refusals(force=force):
            raise refused
        if uses.jobs:
            wanted = expected.of(app)
            if wanted not in (None, app.revision):
                # Before any job is canceled for nothing; the command would be refused with the same.
                raise PreconditionFailed("revision_changed", f"{app.name} was changed meanwhile. Read it again.")
            await self._cancel(who, uses.jobs, intent)

    async def _uses(self, who: Principal, app: App) -> Uses:
        queued, running = await asyncio.gather(*(self._jobs(who, app, status) for status in ("queued", "running")))
        # One that began in between is in both.
        jobs = {job.id: job for job in (*queued, *running)}
        return Uses(jobs=sorted(jobs.values(), key=lambda job: job.id, reverse=True))

    async def _jobs(self, who: Principal, app: App, status: str) -> Sequence[Job]:
        found: list[Job] = []
        while True:
            page = await self.scheduler.jobs(who, limit=JOBS_A_PAGE, offset=len(found), app_id=app.id, status=status)
            found += page.items
            if not page.items or len(found) >= page.total:
                return found

    async def _points(self, who: Principal, app: App) -> Sequence[IndexedRestorePoint]:
        if app.kind == "store":
            return await self.restore_index.restore_points(who, app.id)
        if app.kind == "source":
            return _each_once(await self.restore_index.restore_points_from(who, app.id))
        return ()

    async def _cancel(self, who: Principal, jobs: Sequence[Job], intent: Intent) -> None:
        """Ask jobs to stop. They are not waited for: their workers end them, whether or not the connector is there."""
        # One after the other: the deadline of a request knows one open command.
        for job in jobs:
            command = CancelJob(organization_id=who.organization_id, job_id=JobId(job.id))
            ids = {"command_id": intent.id_for(f"cancel {job.id}"), "correlation_id": intent.ids["correlation_id"]}
            try:
                await self.commands.carry_out_part(command, **ids)
            except Conflict as refused:
                # It ended by itself in between.
                if refused.code != "job_finished":
                    raise


def _each_once(points: Sequence[IndexedRestorePoint]) -> Sequence[IndexedRestorePoint]:
    found: dict[str, IndexedRestorePoint] = {}
    for point in points:
        # A hold is in the repository; a store that was not read since does not show it yet.
        if point.snapshot_id not in found or found[point.snapshot_id].legal_hold is None:
            found[point.snapshot_id] = point
    return list(found.values())


async def _none() -> Sequence[IndexedRestorePoint]:
    return ()
