"""Which messages are events of the live stream, and what of them is shown."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, TypeVar

from chassis.ids import utc_now
from chassis.messaging.key_executor import Record
from contracts.envelope import Envelope, MalformedMessage, attributes, parse
from contracts.messages.assignment import App, AppAssigned, AppReconfigured, AppRemoved
from contracts.messages.base import Message
from contracts.messages.catalog import (
    InventoryChanged,
    InventoryCreated,
    InventoryRemoved,
    ResourceChanged,
    ResourceRegistered,
    ResourceRemoved,
)
from contracts.messages.connector.connection_tests import ConnectionChecked, ConnectionTested
from contracts.messages.connector.stores import (
    RestorePointCreated,
    RestorePointRemoved,
    StoreInitialized,
    StoreRefreshed,
)
from contracts.messages.connector.task_events import LogLine, TaskLogged, TaskProgressed
from contracts.messages.imports import ImportApplied
from contracts.messages.protection import LegalHoldLifted, LegalHoldSet
from contracts.messages.resealing import AppResealed
from contracts.messages.restore_index import RestorePointBrowsable
from contracts.messages.scheduler import JobChanged, JobNoted
from contracts.values import OrganizationId

from gateway.areas.connectors.schemas.answers import CheckView, NamedIntegrationView, ReportView
from gateway.areas.resources.schemas import resource_view
from gateway.areas.scheduling.job_log import printable
from gateway.areas.scheduling.schemas.answers import ProgressView
from gateway.areas.stream import schemas as shown
from gateway.areas.stream.channel import Happening
from gateway.http.answers import View, problem_view

E = TypeVar("E", bound=Message)
Told = Callable[[Envelope[Any]], Happening]
OF_SCHEDULER = 0
"""The number of an event of lines that no worker wrote."""
_TOLD: dict[str, tuple[type[Message], Told]] = {}


def happening_of(record: Record) -> tuple[OrganizationId, Happening] | None:
    """The event that a record is, and whose it is; None for anything else, and for what cannot be read."""
    # By the header alone: most records of these topics are none, and reading them would cost more than all the rest.
    kinds = [value for name, value in record.headers if name == "ce_type"]
    known = _TOLD.get(kinds[0].decode(errors="replace")) if kinds and kinds[0] else None
    if known is None:
        return None
    message, tell = known
    try:
        found, data = attributes(record.headers, record.value or b"")
        envelope = parse(message, found, data, received=utc_now())
    except MalformedMessage:
        return None
    return envelope.data.organization_id, tell(envelope)


def message_types() -> frozenset[str]:
    """The types of the messages that are events of the stream."""
    return frozenset(_TOLD)


def _shown(
    message: type[E],
) -> Callable[[Callable[[Envelope[E]], tuple[View, set[str | None]]]], None]:
    """Register what is shown of a message: a view, and the ids of all that it is about."""

    def register(view: Callable[[Envelope[E]], tuple[View, set[str | None]]]) -> None:
        def tell(envelope: Envelope[E]) -> Happening:
            made, about = view(envelope)
            replaces = f"progress/{envelope.data.key}" if message.TYPE == TaskProgressed.TYPE else ""
            return happening(made, about, replaces=replaces)

        _TOLD[message.TYPE] = message, tell

    return register


def happening(view: View, about: set[str | None], *, replaces: str = "") -> Happening:
    """An event as it is sent: encoded once, for all who hear it."""
    kind: str = getattr(view, "kind")  # noqa: B009 - every view of an event has one
    text = f"event: {kind}\ndata: {view.model_dump_json(by_alias=True)}\n".encode()
    return Happening(kind, frozenset(each for each in about if each), text, replaces)


@cache
def notice(kind: str, code: str, detail: str) -> Happening:
    """Something about the stream itself."""
    return happening(shown.NoticeView.model_validate({"kind": kind, "code": code, "detail": detail}), set())


def _of_job(data: JobChanged | JobNoted | TaskProgressed | TaskLogged) -> dict[str, Any]:
    names = ("at", "job_id", "attempt", "origin_id", "target_id")
    return {name: getattr(data, name) for name in names}


def _ids_of_job(data: JobChanged | JobNoted | TaskProgressed | TaskLogged) -> set[str | None]:
    return {data.job_id, data.run_id, data.origin_id, data.target_id}


@_shown(JobChanged)
def _job(event: Envelope[JobChanged]) -> tuple[View, set[str | None]]:
    data = event.data
    view = shown.JobEventView(
        **_of_job(data),
        run_id=data.run_id,
        status=data.status,
        type=data.task_type,
        problem=problem_view(data.problem),
    )
    return view, _ids_of_job(data)


@_shown(TaskProgressed)
def _progress(event: Envelope[TaskProgressed]) -> tuple[View, set[str | None]]:
    data = event.data
    progress = ProgressView.model_validate(data.model_dump(include=set(ProgressView.model_fields)))
    return shown.ProgressEventView(**_of_job(data), progress=progress), _ids_of_job(data)


@_shown(TaskLogged)
def _log(event: Envelope[TaskLogged]) -> tuple[View, set[str | None]]:
    data = event.data
    view = shown.LogEventView(**_of_job(data), sequence=data.sequence, lines=_lines(data.lines))
    return view, _ids_of_job(data)


@_shown(JobNoted)
def _noted(event: Envelope[JobNoted]) -> tuple[View, set[str | None]]:
    data = event.data
    view = shown.LogEventView(**_of_job(data), sequence=OF_SCHEDULER, lines=_lines(data.lines))
    return view, _ids_of_job(data)


def _lines(lines: Iterable[LogLine]) -> list[shown.LogLineView]:
    return [shown.LogLineView(at=line.at, level=line.level, text=printable(line.text)) for line in lines]


@_shown(RestorePointCreated)
def _created(event: Envelope[RestorePointCreated]) -> tuple[View, set[str | None]]:
    point = event.data.restore_point
    view = shown.RestorePointEventView(
        at=event.time,
        change="created",
        store_id=event.data.store_id,
        snapshot_id=point.snapshot_id,
        source_id=point.source_id,
        job_id=point.job_id,
        creation_time=point.time,
        tags=list(point.tags),
    )
    return view, {event.data.store_id, point.snapshot_id, point.source_id, point.job_id}


@_shown(RestorePointBrowsable)
def _browsable(event: Envelope[RestorePointBrowsable]) -> tuple[View, set[str | None]]:
    view, about = _of_point(event, "browsable")
    return view, {*about, event.data.source_id}


@_shown(RestorePointRemoved)
def _removed(event: Envelope[RestorePointRemoved]) -> tuple[View, set[str | None]]:
    return _of_point(event, "removed")


@_shown(LegalHoldSet)
def _held(event: Envelope[LegalHoldSet]) -> tuple[View, set[str | None]]:
    return _of_hold(event, "held")


@_shown(LegalHoldLifted)
def _lifted(event: Envelope[LegalHoldLifted]) -> tuple[View, set[str | None]]:
    return _of_hold(event, "lifted")


def _of_hold(event: Envelope[LegalHoldSet] | Envelope[LegalHoldLifted], change: Any) -> tuple[View, set[str | None]]:
    data, ids = event.data, event.data.snapshot_ids
    # One event however many there are: its id stands for the whole message, so a part of it could be lost.
    view = shown.RestorePointEventView(
        at=event.time, change=change, store_id=data.store_id, snapshot_id=ids[0] if ids else "", snapshot_ids=list(ids)
    )
    return view, {data.store_id, *ids, *data.source_ids}


def _of_point(
    event: Envelope[RestorePointBrowsable] | Envelope[RestorePointRemoved], change: Any
) -> tuple[View, set[str | None]]:
    data = event.data
    view = shown.RestorePointEventView(
        at=event.time, change=change, store_id=data.store_id, snapshot_id=data.snapshot_id
    )
    return view, {data.store_id, data.snapshot_id}


@_shown(ConnectionChecked)
def _checked(event: Envelope[ConnectionChecked]) -> tuple[View, set[str | None]]:
    data, check = event.data, event.data.check
    view = shown.ConnectionTestEventView(
        at=event.time,
        change="checked",
        connector_id=data.app_id,
        operation_id=data.command_id,
        number=data.number,
        check=CheckView(name=check.name, ok=check.ok, duration_ms=check.duration_ms, detail=check.detail),
    )
    return view, {data.app_id, data.command_id}


@_shown(ConnectionTested)
def _tested(event: Envelope[ConnectionTested]) -> tuple[View, set[str | None]]:
    data = event.data
    report = ReportView.model_validate(data.report.model_dump(include=set(ReportView.model_fields)))
    view = shown.ConnectionTestEventView(
        at=event.time, change="tested", connector_id=data.app_id, operation_id=data.command_id, report=report
    )
    return view, {data.app_id, data.command_id}


@_shown(StoreInitialized)
def _initialized(event: Envelope[StoreInitialized]) -> tuple[View, set[str | None]]:
    data = event.data
    view = shown.StoreEventView(at=event.time, change="initialized", store_id=data.app_id, adopted=data.adopted)
    return view, {data.app_id}


@_shown(StoreRefreshed)
def _refreshed(event: Envelope[StoreRefreshed]) -> tuple[View, set[str | None]]:
    data = event.data
    figures = {"added": data.added, "removed": data.removed, "damaged": data.damaged}
    view = shown.StoreEventView(at=event.time, change="refreshed", store_id=data.app_id, **figures)
    return view, {data.app_id}


def _connector(event: Envelope[Any], change: Any, app: App | None) -> tuple[View, set[str | None]]:
    summary = _summary(app) if app is not None else None
    view = shown.ConnectorEventView(at=event.time, change=change, connector_id=event.data.app_id, connector=summary)
    return view, {event.data.app_id, app.resource.id if app is not None else None}


def _summary(app: App) -> shown.ConnectorSummaryView:
    return shown.ConnectorSummaryView(
        id=app.id,
        name=app.name,
        type=app.kind,
        protocol=app.protocol,
        integration=NamedIntegrationView(id=app.integration.id, name=app.integration.name),
        urn_id=app.resource.id,
        data_classes=list(app.data_classes),
        environment=app.environment,
        temperature=app.temperature,
        complete=not app.lacking,
    )


_shown(AppAssigned)(lambda event: _connector(event, "created", event.data.app))
_shown(AppReconfigured)(lambda event: _connector(event, "changed", event.data.app))
# Its revision is another one, and a client that names the one before in a change would be refused.
_shown(AppResealed)(lambda event: _connector(event, "changed", event.data.app))
_shown(AppRemoved)(lambda event: _connector(event, "removed", None))


def _resource(event: Envelope[ResourceRegistered], change: Any) -> tuple[View, set[str | None]]:
    resource = event.data.resource
    view = shown.ResourceEventView(at=event.time, change=change, urn_id=resource.id, resource=resource_view(resource))
    return view, {resource.id, resource.inventory_id}


_shown(ResourceRegistered)(lambda event: _resource(event, "created"))
_shown(ResourceChanged)(lambda event: _resource(event, "changed"))


@_shown(ResourceRemoved)
def _resource_removed(event: Envelope[ResourceRemoved]) -> tuple[View, set[str | None]]:
    gone = event.data.resource_id
    view = shown.ResourceEventView(at=event.time, change="removed", urn_id=gone)
    return view, {gone, event.data.inventory_id}


def _inventory(event: Envelope[InventoryCreated], change: Any) -> tuple[View, set[str | None]]:
    made = event.data.inventory
    view = shown.InventoryEventView(at=event.time, change=change, inventory_id=made.id, name=made.name, type=made.type)
    return view, {made.id}


_shown(InventoryCreated)(lambda event: _inventory(event, "created"))
_shown(InventoryChanged)(lambda event: _inventory(event, "changed"))


@_shown(InventoryRemoved)
def _inventory_removed(event: Envelope[InventoryRemoved]) -> tuple[View, set[str | None]]:
    gone = event.data.inventory_id
    return shown.InventoryEventView(at=event.time, change="removed", inventory_id=gone), {gone}


@_shown(ImportApplied)
def _imported(event: Envelope[ImportApplied]) -> tuple[View, set[str | None]]:
    # One event for all: of 100,000 resources each would be one that nobody reads.
    changed = event.data.inventory_id
    return shown.InventoryEventView(at=event.time, change="imported", inventory_id=changed), {changed}
