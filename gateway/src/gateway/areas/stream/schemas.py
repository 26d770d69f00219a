"""Events of the live stream, as clients read them. Each field is chosen here: none is copied from a message unseen."""

import json
from typing import Annotated, Literal

from pydantic import Field, RootModel

from gateway.areas.connectors.schemas.answers import CheckView, NamedIntegrationView, ReportView
from gateway.areas.resources.schemas import ResourceView
from gateway.areas.scheduling.schemas.answers import ProgressView
from gateway.http.answers import JobProblemView, Stamp, View
from gateway.http.examples import CONNECTOR, INVENTORY, JOB, RUN, example

Kind = Literal[
    "job",
    "progress",
    "log",
    "restore-point",
    "connection-test",
    "store",
    "connector",
    "resource",
    "inventory",
]
_AT = "2026-11-23T08:00:00.120Z"
_STORE = "0198b1c2-0000-7000-8000-00000000000c"
_JOB_EVENT = {
    "kind": "job",
    "at": _AT,
    "job_id": JOB,
    "attempt": 1,
    "origin_id": CONNECTOR,
    "target_id": _STORE,
    "run_id": RUN,
    "status": "failed",
    "type": "backup",
    "problem": {"code": "store_unreachable", "detail": "The store does not answer."},
}


class EventView(View):
    """What all events have."""

    at: Stamp = Field(description="When it happened")


class OfJob(EventView):
    """What all events about a job have."""

    job_id: str
    attempt: int = Field(description="0 until a worker has taken the job")
    origin_id: str | None = Field(description="What its task starts from; null from workers of older versions")
    target_id: str | None = Field(description="Where it goes to")


class JobEventView(OfJob):
    """A job was made or has a new status."""

    model_config = example(**_JOB_EVENT)

    kind: Literal["job"] = "job"
    run_id: str
    status: str
    type: str = Field(description="Type of its task")
    problem: JobProblemView | None = Field(description="Why it failed")


class ProgressEventView(OfJob):
    """How far a job is. Only the latest counts: a listener that reads slowly gets no others."""

    kind: Literal["progress"] = "progress"
    progress: ProgressView


class LogLineView(View):
    """One line of a job's log."""

    at: Stamp
    level: str = Field(description="`info`, `warning` or `error`")
    text: str


class LogEventView(OfJob):
    """Lines of a job's log: of its worker, and those about the job itself (queued, started, asked to stop, ended)."""

    kind: Literal["log"] = "log"
    sequence: int = Field(
        description="Number of this event of a worker within the attempt, from 1; 0: lines about the job itself"
    )
    lines: list[LogLineView]


class RestorePointEventView(EventView):
    """A restore point was made or found, can be browsed, is under legal hold or is so no more, or is gone.

    A hold that ends by its time is not told.
    """

    model_config = example(
        kind="restore-point", at=_AT, change="created", store_id=_STORE, snapshot_id="5f" * 32, source_id=CONNECTOR,
        job_id=JOB, creation_time=_AT, tags=["before-upgrade"],
    )  # fmt: skip

    kind: Literal["restore-point"] = "restore-point"
    change: Literal["created", "browsable", "held", "lifted", "removed"]
    store_id: str
    snapshot_id: str = Field(description="The restore point; of several the first")
    snapshot_ids: list[str] = Field(default=[], description="Of a hold that was set or lifted: all restore points")
    source_id: str | None = Field(default=None, description="Of a new one: the source, where it is known")
    job_id: str | None = Field(default=None, description="Of a new one: the job that made it")
    creation_time: Stamp | None = Field(default=None, description="Of a new one: when its backup began")
    tags: list[str] = Field(default=[], description="Of a new one")


class ConnectionTestEventView(EventView):
    """A step of a connection test is done (`checked`), or all of it (`tested`)."""

    kind: Literal["connection-test"] = "connection-test"
    change: Literal["checked", "tested"]
    connector_id: str
    operation_id: str = Field(description="Tells the tests of one connector apart")
    number: int | None = Field(default=None, description="Of a step: its number within the test, from 1")
    check: CheckView | None = Field(default=None, description="Of a step: what was found")
    report: ReportView | None = Field(default=None, description="Of a test: all steps again, and what came of them")


class StoreEventView(EventView):
    """A store has its repository, or was compared with what is known of it."""

    kind: Literal["store"] = "store"
    change: Literal["initialized", "refreshed"]
    store_id: str
    adopted: bool | None = Field(default=None, description="Initialized: whether its repository was there already")
    added: int | None = Field(default=None, description="Refreshed: restore points that were not known")
    removed: int | None = Field(default=None, description="Refreshed: restore points that are not there any more")
    damaged: int | None = Field(default=None, description="Refreshed: those that are damaged or not given out")


class ConnectorSummaryView(View):
    """A connector, without its fields: they are read from its own route."""

    id: str
    name: str
    type: str
    protocol: str
    integration: NamedIntegrationView
    urn_id: str
    data_classes: list[str]
    environment: str
    temperature: str
    complete: bool


class ConnectorEventView(EventView):
    """A source, store or destination was made, changed or removed."""

    kind: Literal["connector"] = "connector"
    change: Literal["created", "changed", "removed"]
    connector_id: str
    connector: ConnectorSummaryView | None = Field(default=None, description="As it is now; null: it is gone")


class ResourceEventView(EventView):
    """A resource was made, changed or removed."""

    kind: Literal["resource"] = "resource"
    change: Literal["created", "changed", "removed"]
    urn_id: str
    resource: ResourceView | None = Field(default=None, description="As it is now; null: it is gone")


class InventoryEventView(EventView):
    """An inventory was made, changed or removed, or took a list of resources (`imported`: look at them again)."""

    model_config = example(
        kind="inventory", at=_AT, change="created", inventory_id=INVENTORY, name="datacentre", type="self-managed"
    )

    kind: Literal["inventory"] = "inventory"
    change: Literal["created", "changed", "removed", "imported"]
    inventory_id: str
    name: str | None = Field(default=None, description="Null: it is gone, or the event is about its resources")
    type: str | None = None


class NoticeView(View):
    """About the stream itself. `gap`: something was lost. `end`: the stream ends, and why."""

    model_config = example(kind="gap", code="events_lost", detail="Events before this are not kept any more.")

    kind: Literal["gap", "end"]
    code: str
    detail: str


class StreamEventView(
    RootModel[
        Annotated[
            JobEventView
            | ProgressEventView
            | LogEventView
            | RestorePointEventView
            | ConnectionTestEventView
            | StoreEventView
            | ConnectorEventView
            | ResourceEventView
            | InventoryEventView
            | NoticeView,
            Field(discriminator="kind"),
        ]
    ]
):
    """The `data` of one event; `event` is its `kind`."""

    model_config = example(**_JOB_EVENT)


STREAM_EXAMPLE = (
    "retry: 2000\nid: AQgAAAAB\n\n"
    f"event: job\ndata: {json.dumps(_JOB_EVENT)}\nid: AQgAAAAC\n\n"
    ": still here\nid: AQgAAAAC\n\n"
)
