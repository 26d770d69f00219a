"""What there is to say of a connector beside how it is configured: its last test, and what can be done with it."""

from collections.abc import Iterable

from contracts.queries.connection_tests import KeptTest
from pydantic import Field

from gateway.areas.connectors.actions import Action
from gateway.areas.connectors.schemas.answers import (
    CONNECTOR_EXAMPLE,
    ConnectorView,
    ReportView,
    connector_view,
    report_view,
)
from gateway.areas.connectors.service import ReadConnector, ReadOverview
from gateway.http.answers import Stamp, View
from gateway.http.examples import OPERATION, example

_REASON = {
    "code": "no_store_in_reach",
    "detail": "There is no other store that is complete, not locked, and in reach.",
}
_TEST = {
    "id": OPERATION,
    "at": "2026-11-23T08:00:00.120Z",
    "trigger": "change",
    "revision": 2,
    "ok": True,
    "checks": [{"name": "reachable", "ok": True, "duration_ms": 0.4, "detail": "the directory is there"}],
    "initialized": None,
    "warnings": [],
}


class ReasonView(View):
    """Why something is not available, or what to know before it is done."""

    model_config = example(**_REASON)

    code: str
    detail: str


class ActionView(View):
    """Something that is done with connectors."""

    model_config = example(name="backup", available=False, reason=_REASON, warnings=[])

    name: str = Field(description="`test`, `initialize`, `backup`, `restore`, `check`, `sync` or `prune`")
    available: bool
    reason: ReasonView | None = Field(
        description="Why it is not: what the route that does it would be refused with, or why it would fail. "
        "`not_for_this_type`: never with a connector of this type"
    )
    warnings: list[ReasonView] = Field(
        description="What to know before it is done, e.g. `last_test_failed`; `storage_unknown`: whether a store has "
        "storage was not found out since its last change; `resource_not_found`: its resource is gone; "
        "`integration_incompatible`: its resource got a class that its integration does not work with"
    )


class ConnectionTestView(ReportView):
    """A connection test that was made."""

    model_config = example(**_TEST)

    id: str = Field(description="The `operation_id` of its events on the stream")
    at: Stamp = Field(description="When it was done")
    trigger: str = Field(description="`manual`: somebody asked for it; `change`: the connector was changed")
    revision: int = Field(description="Revision of the connector that was tested: its `ETag` then; 0: not known")


class ConnectorDetailView(ConnectorView):
    """A connector, its last test, and what can be done with it."""

    model_config = example(
        **CONNECTOR_EXAMPLE,
        revision=2,
        last_check=_TEST,
        actions=[{"name": "backup", "available": False, "reason": _REASON, "warnings": []}],
    )

    revision: int = Field(description="Grows with each change; its `ETag`")
    last_check: ConnectionTestView | None = Field(
        description="The last test of the newest revision that was tested; null: it was never tested"
    )
    actions: list[ActionView] = Field(description="Always all of them, in the same order")


def action_views(actions: Iterable[Action]) -> list[ActionView]:
    """What can be done, as the API shows it."""
    return [
        ActionView(
            name=action.name,
            available=action.reason is None,
            reason=ReasonView(code=action.reason.code, detail=action.reason.detail) if action.reason else None,
            warnings=[ReasonView(code=each.code, detail=each.detail) for each in action.warnings],
        )
        for action in actions
    ]


def kept_test_view(kept: KeptTest) -> ConnectionTestView:
    """A test as the API shows it."""
    report = report_view(kept.report)
    return ConnectionTestView(
        **dict(report), id=kept.command_id, at=kept.at, trigger=kept.trigger, revision=kept.revision
    )


def detail_view(read: ReadOverview) -> ConnectorDetailView:
    """A connector with all there is to say of it."""
    app, last = read.overview.app, read.overview.last_test
    shown = connector_view(ReadConnector(app, read.fields))
    return ConnectorDetailView(
        **dict(shown),
        revision=app.revision,
        last_check=kept_test_view(last) if last else None,
        actions=action_views(read.actions),
    )
