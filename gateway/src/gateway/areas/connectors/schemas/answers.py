"""Connectors and their tests, as they are shown."""

from typing import Any

from contracts.hooks import Hooks
from contracts.messages.connector.connection_tests import TestReport
from pydantic import Field

from gateway.areas.connectors.preconditions import GivenField
from gateway.areas.connectors.service import ReadConnector
from gateway.http.answers import Absent, ProblemFieldView, View
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


def report_view(report: TestReport) -> ReportView:
    """The result of a connection test."""
    return ReportView.model_validate(report.model_dump())
