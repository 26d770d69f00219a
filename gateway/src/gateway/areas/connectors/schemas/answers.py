"""Connectors, their tests, and integrations."""

from typing import Any

from contracts.hooks import Hooks
from contracts.messages.connector.connection_tests import TestReport
from contracts.messages.connector.stores import StoreDifference, StoreLock
from pydantic import Field

from gateway.areas.connectors.preconditions import GivenField
from gateway.areas.connectors.service import ReadConnector
from gateway.http.answers import Absent, ProblemFieldView, Stamp, View
from gateway.http.examples import CONNECTOR, INTEGRATION, example


class ProviderView(View):
    """The secret provider a field refers to."""

    id: str


class BundleNameView(View):
    """The bundle that a value came from."""

    id: str
    name: str


class FieldView(View):
    """A configuration field. Who may see secrets reads all values as they were given."""

    value: str
    provider: ProviderView | None = Absent
    # Beside the value and left out where it is false: clients compare the fields that they read with those they sent.
    masked: bool = Field(
        default=False,
        exclude_if=lambda value: not value,
        description="Present and true: a secret is kept, and the caller may not see it; `value` is empty then. An "
        "update that sends the field back like this leaves the secret as it is",
    )
    bundle: BundleNameView | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="Of a connector's field: the bundle that the value came from, and that it follows. It goes on "
        "following where an update sends the field back as it was read, or leaves it out; another value is the "
        "connector's own",
    )


class ConnectorEndpointView(View):
    """An address."""

    endpoint: str


class NamedIntegrationView(View):
    """The integration of a connector."""

    id: str
    name: str


class ResourceReferenceView(View):
    """The resource of a connector."""

    urn_id: str
    urn: str
    name: str


CONNECTOR_EXAMPLE: dict[str, Any] = {
    "id": CONNECTOR,
    "name": "nas",
    "type": "source",
    "protocol": "fs",
    "integration": {"id": INTEGRATION, "name": "fs"},
    "resource": {"urn_id": "0198b1c2-0000-7000-8000-00000000000a", "urn": "urn:example:nas", "name": "NAS"},
    "fields": {"root": {"value": "/srv/files"}},
    "endpoints": [],
    "data_classes": ["documents"],
    "environment": "production",
    "temperature": "hot",
    "complete": True,
    "faults": [],
}


class ConnectorView(View):
    """A resource put to use as source, store or destination."""

    model_config = example(**CONNECTOR_EXAMPLE)

    id: str
    name: str
    type: str
    protocol: str
    integration: NamedIntegrationView
    resource: ResourceReferenceView
    fields: dict[str, FieldView]
    endpoints: list[ConnectorEndpointView] = Field(description="As they were given; empty: those of the resource")
    data_classes: list[str]
    environment: str
    temperature: str
    hooks: Hooks | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="What runs before and after its backups and restores; left out where there is none",
    )
    complete: bool = Field(
        description="False: fields that are required are missing, so nothing can be done with it yet"
    )
    faults: list[ProblemFieldView] = Field(description="The fields that are missing")


class CheckView(View):
    """One step of a connection test."""

    name: str
    ok: bool
    duration_ms: float
    detail: str


class StoreWarningView(View):
    """Something about a store that people should know although backups into it work."""

    code: str = Field(
        description="`restore_points_damaged`: the store has lost something; `restore_points_unreadable`: it does not "
        "give something out; `restore_points_not_indexable`: nothing is lost, but they cannot be browsed; "
        "`restore_points_unknown`: that could not be found out"
    )
    detail: str
    snapshot_ids: list[str] = Field(description="The first 20 of the restore points in question, newest first")
    total: int = Field(description="How many restore points there are in question")


class ReportView(View):
    """What a connection test found. A failed test is an answer, not an error."""

    model_config = example(
        ok=True,
        checks=[{"name": "reachable", "ok": True, "duration_ms": 0.4, "detail": "the directory is there"}],
        initialized=None,
        warnings=[],
    )

    ok: bool
    checks: list[CheckView]
    initialized: bool | None = Field(description="Stores only: whether the storage behind it exists")
    warnings: list[StoreWarningView] = Field(
        description="Stores only: which restore points are known as damaged; changes nothing about `ok`"
    )


class StoreView(View):
    """The storage behind a store."""

    model_config = example(id=CONNECTOR, initialized=True, adopted=False, compression="auto")

    id: str
    initialized: bool
    adopted: bool = Field(description="True when the storage was there already and was taken over as it is")
    compression: str = Field(description="Level of Zstandard for later backups: `auto`, `fastest`, `better` or `max`")


_LOCK = {
    "id": "3c" * 32,
    "exclusive": True,
    "host": "backup-1",
    "process": 4711,
    "user": "root",
    "since": "2026-11-23T08:00:00Z",
    "stale": False,
}


class LockView(View):
    """A process that says it works on the storage behind a store."""

    model_config = example(**_LOCK)

    id: str
    exclusive: bool = Field(description="Whether it keeps everybody else out")
    host: str = Field(description="The machine it runs on; empty for a lock that cannot be read")
    process: int = Field(description="Its process id there")
    user: str
    since: Stamp | None = Field(description="When it was last renewed; who lives does so every 5 minutes")
    stale: bool = Field(
        description="Proved to be nobody's: not renewed for 30 minutes, or of a process of a worker's host that is gone"
    )


class UnlockView(View):
    """What became of the locks of a store."""

    model_config = example(id=CONNECTOR, removed=[_LOCK | {"stale": True}], remaining=[])

    id: str
    removed: list[LockView]
    remaining: list[LockView] = Field(description="Those that are not proved stale")


def lock_view(lock: StoreLock) -> LockView:
    """A lock as the API shows it."""
    return LockView(**lock.model_dump())


class RefreshView(View):
    """How a store differed from what was known of it; that is mended next."""

    model_config = example(id=CONNECTOR, rebuild=False, added=2, removed=1, listed=2, damaged=0, warnings=[])

    id: str
    rebuild: bool
    added: int = Field(description="Restore points in the store that were not known")
    removed: int = Field(description="Restore points that were known and are not in the store any more")
    listed: int = Field(description="Restore points whose directories will be read")
    damaged: int = Field(
        description="Those of them that were found damaged, or unreadable, before: they are tried again"
    )
    warnings: list[StoreWarningView] = Field(description="Which those are")


class RolesView(View):
    """The role lists as they were sent."""

    model_config = example(
        can_read=["self:0198b1c2-0000-7000-8000-000000000002"], can_execute=[], can_write=[], can_own=[]
    )

    can_read: list[str]
    can_execute: list[str]
    can_write: list[str]
    can_own: list[str]


def connector_view(opened: ReadConnector) -> ConnectorView:
    """A connector as its client reads it back: lists in the order they were sent."""
    app = opened.app
    # Clients plan a change where they read what they did not send.
    endpoints = () if app.endpoints_from_resource else app.endpoints
    return ConnectorView(
        id=app.id,
        name=app.name,
        type=app.kind,
        protocol=app.protocol,
        integration=NamedIntegrationView(id=app.integration.id, name=app.integration.name),
        resource=ResourceReferenceView(urn_id=app.resource.id, urn=app.resource.urn, name=app.resource.name),
        fields={name: field_view(given) for name, given in opened.fields.items()},
        endpoints=[ConnectorEndpointView(endpoint=e) for e in endpoints],
        data_classes=list(app.data_classes),
        environment=app.environment,
        temperature=app.temperature,
        hooks=app.hooks,
        complete=not app.lacking,
        faults=[ProblemFieldView(field=lack.field, detail=lack.detail) for lack in app.lacking],
    )


def field_view(given: GivenField) -> FieldView:
    """A configuration field as its client reads it back."""
    provider = ProviderView(id=given.provider_id) if given.provider_id else None
    bundle = BundleNameView(id=given.bundle.id, name=given.bundle.name) if given.bundle else None
    return FieldView(value=given.value, provider=provider, masked=given.masked, bundle=bundle)


def refresh_view(store_id: str, found: StoreDifference, *, rebuild: bool) -> RefreshView:
    """How a store differs from what is known of it."""
    return RefreshView.model_validate({"id": store_id, "rebuild": rebuild, **found.model_dump()})


def report_view(report: TestReport) -> ReportView:
    """The result of a connection test."""
    return ReportView.model_validate(report.model_dump())
