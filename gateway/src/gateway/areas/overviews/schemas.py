"""Connectors with what belongs to them, and what it would mean to remove one."""

from typing import Any

from contracts.queries.scheduler import Job
from pydantic import Field

from gateway.areas.connectors.removal import Removal
from gateway.areas.connectors.schemas.answers import NamedIntegrationView
from gateway.areas.connectors.schemas.overviews import (
    ActionView,
    ConnectionTestView,
    ReasonView,
    action_views,
    kept_test_view,
)
from gateway.areas.overviews.service import ResourceTab, Row
from gateway.areas.scheduling.schemas.answers import JobView, job_view
from gateway.areas.snapshots.schemas import SnapshotView, snapshot_view
from gateway.http.answers import ProblemFieldView, Stamp, View
from gateway.http.examples import CONNECTOR, INTEGRATION, JOB, RESOURCE, example

SHOWN_USES = 50
_ROW: dict[str, Any] = {
    "id": CONNECTOR,
    "name": "nas",
    "type": "source",
    "protocol": "fs",
    "integration": {"id": INTEGRATION, "name": "fs"},
    "urn_id": RESOURCE,
    "environment": "production",
    "data_classes": ["documents"],
    "temperature": "hot",
    "revision": 2,
    "complete": True,
    "faults": [],
    "initialized": None,
    "locked": False,
    "last_check": None,
    "last_backup": None,
    "next_run": None,
    "actions": [{"name": "test", "available": True, "reason": None, "warnings": []}],
}


class ConnectorRowView(View):
    """A connector in a list, without its fields: they are read from its own route."""

    model_config = example(**_ROW)

    id: str
    name: str
    type: str
    protocol: str
    integration: NamedIntegrationView
    urn_id: str
    environment: str
    data_classes: list[str]
    temperature: str
    revision: int
    complete: bool
    faults: list[ProblemFieldView]
    initialized: bool | None = Field(
        description="Stores only: whether the storage behind it exists; null: not known since its last change"
    )
    locked: bool = Field(description="Whether its resource is locked")
    last_check: ConnectionTestView | None = Field(description="The last test of the newest revision that was tested")
    last_backup: JobView | None = Field(
        description="The last backup of a source, or into a store, whatever became of it"
    )
    next_run: Stamp | None = Field(description="When a schedule runs it next; null: there is no schedule")
    actions: list[ActionView] = Field(description="Always all of them, in the same order")


class ResourceConnectorsView(View):
    """What a resource is used as: its sources, stores and destinations, oldest first."""

    model_config = example(sources=[_ROW], stores=[], destinations=[], restore_points=[])

    sources: list[ConnectorRowView]
    stores: list[ConnectorRowView]
    destinations: list[ConnectorRowView]
    restore_points: list[SnapshotView] = Field(description="The five latest of all its sources, newest first")


class UseView(View):
    """What uses a connector."""

    model_config = example(kind="job", id=JOB, type="backup", status="running")

    kind: str = Field(description="`job`; more kinds may come")
    id: str
    type: str = Field(description="Of a job: the type of its task")
    status: str


class UsesView(View):
    """What uses a connector: how much in all, and the first of it."""

    model_config = example(total=1, items=[{"kind": "job", "id": JOB, "type": "backup", "status": "running"}])

    total: int
    items: list[UseView] = Field(description=f"At most {SHOWN_USES}, newest first")


class RemovalView(View):
    """What it would mean to remove a connector. Nothing is changed by asking."""

    model_config = example(
        id=CONNECTOR,
        name="nas",
        type="source",
        allowed=False,
        allowed_by_force=True,
        reasons=[{"code": "connector_in_use", "detail": f"The source nas is used by jobs: backup {JOB} (running)."}],
        uses={"total": 1, "items": [{"kind": "job", "id": JOB, "type": "backup", "status": "running"}]},
        restore_points=12,
        held=0,
        effects=["By force, jobs that use it are asked to stop first: 1."],
    )

    id: str
    name: str
    type: str
    allowed: bool
    allowed_by_force: bool = Field(description="Whether it is with `force=true`")
    reasons: list[ReasonView] = Field(description="Why it is not allowed without force: what it would be refused with")
    uses: UsesView
    restore_points: int = Field(
        description="Of a source those that were made of it: they stay in their stores and are found as before. Of a "
        "store those that it holds: they leave all lists; what is stored is not touched"
    )
    held: int = Field(description="How many of them are under legal hold")
    effects: list[str] = Field(description="What would happen, in words")


def row_view(row: Row) -> ConnectorRowView:
    """A connector in a list."""
    app, last = row.overview.app, row.overview.last_test
    return ConnectorRowView(
        id=app.id,
        name=app.name,
        type=app.kind,
        protocol=app.protocol,
        integration=NamedIntegrationView(id=app.integration.id, name=app.integration.name),
        urn_id=app.resource.id,
        environment=app.environment,
        data_classes=list(app.data_classes),
        temperature=app.temperature,
        revision=app.revision,
        complete=not app.lacking,
        faults=[ProblemFieldView(field=lack.field, detail=lack.detail) for lack in app.lacking],
        initialized=row.overview.initialized,
        locked=app.resource.locked,
        last_check=kept_test_view(last) if last else None,
        last_backup=job_view(row.last_backup) if row.last_backup else None,
        next_run=None,
        actions=action_views(row.actions),
    )


def resource_connectors_view(tab: ResourceTab) -> ResourceConnectorsView:
    """What a resource is used as."""
    rows = [row_view(row) for row in tab.rows]
    return ResourceConnectorsView(
        sources=[row for row in rows if row.type == "source"],
        stores=[row for row in rows if row.type == "store"],
        destinations=[row for row in rows if row.type == "destination"],
        restore_points=[snapshot_view(point) for point in tab.points],
    )


def removal_view(removal: Removal) -> RemovalView:
    """What it would mean to remove a connector."""
    app, jobs = removal.app, removal.uses.jobs
    refused = removal.refusals(force=False)
    return RemovalView(
        id=app.id,
        name=app.name,
        type=app.kind,
        allowed=not refused,
        allowed_by_force=not removal.refusals(force=True),
        reasons=[ReasonView(code=each.code, detail=each.detail) for each in refused],
        uses=UsesView(total=len(jobs), items=[_use(job) for job in jobs[:SHOWN_USES]]),
        restore_points=len(removal.points),
        held=removal.held,
        effects=_effects(removal),
    )


def _use(job: Job) -> UseView:
    return UseView(kind="job", id=job.id, type=job.task.type, status=job.status)


def _effects(removal: Removal) -> list[str]:
    kind, found = removal.app.kind, [f"The {removal.app.kind} {removal.app.name} is not listed and not run any more."]
    if removal.uses.jobs:
        found.append(f"By force, jobs that use it are asked to stop first: {len(removal.uses.jobs)}.")
    if removal.points and kind == "source":
        found.append(f"Its restore points stay in their stores, browsable and found as before: {len(removal.points)}.")
    if removal.points and kind == "store":
        found.append(f"Its restore points leave all lists: {len(removal.points)}.")
    if kind == "store":
        found.append("What is stored is not touched: a store at the same place takes it over.")
    return found
