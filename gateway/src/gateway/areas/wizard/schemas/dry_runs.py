"""What would come of a connector that nobody has saved."""

from collections.abc import Iterable

from contracts.messages.outcomes import FieldProblem
from pydantic import Field, model_validator

from gateway.areas.connectors.schemas.answers import ReportView, report_view
from gateway.areas.connectors.schemas.requests import EXAMPLE, ConnectorBody, with_rules
from gateway.areas.wizard.schemas.prefilled import PrefilledFieldView, prefilled_view
from gateway.areas.wizard.service import DryRun
from gateway.http.answers import ProblemFieldView, View
from gateway.http.body_fields import Line, MaybeId
from gateway.http.examples import INTEGRATION, example


class DryRunBody(ConnectorBody):
    """What is said about a connector so far."""

    model_config = with_rules(needs_resource=False, **EXAMPLE)

    id: MaybeId = Field(default=None, description="The connector that would be changed; left out: a new one")
    # Not filled in yet: a fault in the answer like any other, so that all of them are told at once.
    name: Line = ""

    @model_validator(mode="after")
    def _names_a_resource(self) -> "DryRunBody":
        """In place of the rule for creations: like the name, it may be filled in later."""
        return self


class DraftIntegrationView(View):
    """The integration of a connector that nobody has saved."""

    id: str
    name: str


class CoveringPolicyView(View):
    """A policy that would cover the connector."""

    id: str
    name: str


class DryRunView(View):
    """What would come of a connector."""

    model_config = example(
        valid=True,
        complete=True,
        code=None,
        detail="",
        faults=[],
        missing=[],
        integration={"id": INTEGRATION, "name": "fs"},
        protocol="fs",
        filled={},
        test={
            "ok": True,
            "checks": [{"name": "reachable", "ok": True, "duration_ms": 0.4, "detail": "the directory is there"}],
            "initialized": None,
            "warnings": [],
        },
        untested="",
        policies=[],
    )

    valid: bool = Field(description="Whether it would be saved")
    complete: bool = Field(description="Whether it could be used at once")
    code: str | None = Field(description="What it would be refused with; `app_invalid` with faults of several kinds")
    detail: str = Field(description="The same for a person")
    faults: list[ProblemFieldView] = Field(description="All that is wrong, by field")
    missing: list[ProblemFieldView] = Field(description="Fields that are required and can be filled in later")
    integration: DraftIntegrationView | None = Field(description="The one that is named or chosen by itself")
    protocol: str | None
    filled: dict[str, PrefilledFieldView] = Field(description="Fields that bundles would fill")
    test: ReportView | None = Field(description="What connecting came to; null: nobody connected")
    untested: str = Field(description="Why nobody connected; empty where somebody did")
    policies: list[CoveringPolicyView] = Field(
        description="Policies that would cover it; empty, as no organization can have policies yet"
    )


def dry_run_view(run: DryRun) -> DryRunView:
    """What would come of a connector."""
    draft, problem = run.draft, run.problem
    named = None
    if draft.integration_id and draft.integration_name:
        named = DraftIntegrationView(id=draft.integration_id, name=draft.integration_name)
    return DryRunView(
        valid=problem is None,
        complete=problem is None and not draft.lacking,
        code=problem.code if problem else None,
        detail=problem.detail if problem else "",
        faults=_fields(problem.fields if problem else ()),
        missing=_fields(draft.lacking),
        integration=named,
        protocol=draft.protocol,
        filled={name: prefilled_view(each) for name, each in draft.filled.items()},
        test=report_view(run.report) if run.report else None,
        untested=run.untested,
        # True as it stands: nothing of this version can make a policy.
        policies=[],
    )


def _fields(faults: Iterable[FieldProblem]) -> list[ProblemFieldView]:
    return [ProblemFieldView(field=each.field, detail=each.detail) for each in faults]
