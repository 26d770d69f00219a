"""The steps of making a connector as the gateway takes them, with what it asks in memory."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from chassis.errors import Unavailable
from chassis.messaging.command_client import StillRunning
from contracts.envelope import Envelope
from contracts.errors import Conflict, Invalid
from contracts.field_values import FieldValue
from contracts.messages.connector.connection_tests import TestDraft
from contracts.messages.outcomes import CommandOutcome, FieldProblem, Problem
from contracts.queries.assignment import Choice, ReachableApp
from contracts.queries.wizard import Draft, DraftQuestion
from contracts.values import AppId, CommandId, IntegrationId, OrganizationId
from gateway.access.principal import Principal
from gateway.areas.connectors.descriptions import Descriptions, together
from gateway.areas.connectors.preconditions import ConnectorRequest, GivenField
from gateway.areas.wizard.schemas.dry_runs import DryRunBody, dry_run_view
from gateway.areas.wizard.service import DryRun, Wizard
from jsonschema import Draft202012Validator

from tests.support import builders as make
from tests.unit.gateway.test_domain import an_app

WHO = Principal(account_id="someone", organization_id=OrganizationId("org-1"))
ASKED = ConnectorRequest(
    kind="source", name="files", urn_id="res-1", fields={"root": GivenField("/srv"), "colour": GivenField("canary")}
)
REFUSED = Problem(code="app_invalid", detail="No name.", fields=(FieldProblem(field="name", detail="is empty"),))


class Others:
    """Assignment, the catalog, field encryption and the workers."""

    def __init__(
        self,
        *,
        problem: Problem | None = None,
        choice: Exception | None = None,
        answer: Any = None,
        is_offered: bool = True,
        **app: Any,
    ) -> None:
        self.problem, self.choice, self.answer = problem, choice, answer
        described = an_app(kind="source").model_copy(update=app)
        self.would_be = ReachableApp(**dict(described), pools=("branch",), is_offered=is_offered)
        self.asked: list[DraftQuestion] = []
        self.sent: list[Envelope[Any]] = []

    async def resource(self, *_: object) -> Any:
        return make.a_resource()

    async def app(self, _: object, app_id: str) -> ReachableApp:
        return self.would_be.model_copy(update={"id": AppId(app_id)})

    async def choose(self, *_: object, **__: object) -> Choice:
        if self.choice:
            raise self.choice
        return Choice(integration_id=IntegrationId("int-fs"), protocol="fs", clear_fields=frozenset({"root"}))

    async def draft(self, _: object, question: DraftQuestion) -> Draft:
        self.asked.append(question)
        if self.problem:
            return Draft(problem=self.problem)
        return Draft(app=self.would_be, lacking=self.would_be.lacking, integration_id=IntegrationId("int-fs"))

    async def seal(
        self, _: object, __: object, fields: Any, *, clear: frozenset[str], known: Any
    ) -> dict[str, FieldValue]:
        return {n: make.clear(each.value) if n in clear else make.sealed() for n, each in fields.items()}

    def open_of(self, _: object, __: object, given_by_bundles: Any) -> dict[str, GivenField]:
        assert not given_by_bundles
        return {}

    async def send(self, command: Envelope[Any], **_: object) -> CommandOutcome:
        self.sent.append(command)
        if isinstance(self.answer, Exception):
            raise self.answer
        facts = {"organization_id": "org-1", "command_id": CommandId(command.id), "command_type": command.type}
        return CommandOutcome.model_validate(facts | self.answer)

    @property
    def descriptions(self) -> Descriptions:
        return Descriptions(cast("Any", self), cast("Any", self))

    async def run(self, asked: ConnectorRequest = ASKED, *, test: bool = True, **facts: Any) -> DryRun:
        own = cast("Any", self)
        wizard = Wizard(own, own, own, self.descriptions, timeout_seconds=1)
        return await wizard.dry_run(WHO, asked, connector_id=facts.get("connector_id"), test=test)


REPORT = {"ok": True, "checks": [{"name": "reachable", "ok": True, "duration_ms": 1}]}


async def test_a_draft_that_is_complete_is_tested_by_the_pool_that_reaches_it() -> None:
    others = Others(answer={"accepted": True, "result": REPORT})
    run = await others.run()
    [command] = others.sent
    assert isinstance(command.data, TestDraft)
    assert (command.data.pool, type(command.data.app).__name__) == ("branch", "App")
    assert command.data.key not in (command.data.app.id, others.asked[0].app_id)
    assert run.report is not None
    view = dry_run_view(run)
    assert (view.valid, view.complete, view.untested, view.policies) == (True, True, "", [])
    assert view.test is not None
    assert view.test.ok


@pytest.mark.parametrize(
    ("others", "test", "said"),
    [
        (Others(problem=REFUSED), True, "corrected first"),
        (Others(lacking=(FieldProblem(field="fields.root", detail="is missing"),)), True, "root is missing"),
        (Others(is_offered=False), True, "No worker offers the integration"),
        (Others(), False, "not asked for"),
    ],
    ids=["faults", "incomplete", "gone", "not asked for"],
)
async def test_what_is_not_tested_says_why(others: Others, test: bool, said: str) -> None:
    run = await others.run(test=test)
    assert others.sent == []
    assert run.report is None
    assert said in run.untested


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (StillRunning(cast("Any", SimpleNamespace(id="1")), taken=True), "No worker that reaches it answered in time."),
        (Unavailable("kafka_unavailable", "Kafka is away."), "Kafka is away."),
        ({"accepted": False, "problem": {"code": "internal_error", "detail": "It broke."}}, "It broke."),
    ],
)
async def test_silent_workers_are_no_operation(answer: Any, said: str) -> None:
    run = await Others(answer=answer).run()
    assert (run.problem, run.untested) == (None, said)


async def test_without_a_choice_every_field_travels_sealed() -> None:
    others = Others(problem=REFUSED, choice=Invalid("integration_incompatible", "None fits."))
    await others.run(connector_id="app-1")
    [question] = others.asked
    assert (question.replaces, question.app_id) == (True, "app-1")
    assert all(field.sealed for field in question.description.fields.values())


async def test_faults_of_providers_and_of_the_description_are_told_at_once() -> None:
    asked = ConnectorRequest(
        kind="source", name="", urn_id="res-1", fields={"passphrase": GivenField("kv/x", provider_id="vault-1")}
    )
    others = Others(problem=REFUSED)
    run = await others.run(asked)
    assert run.problem is not None
    assert run.problem.code == "app_invalid"
    assert {each.field for each in run.problem.fields} == {"fields.passphrase.provider.id", "name"}
    with pytest.raises(Invalid) as refused:
        await others.descriptions.describe(WHO, AppId("a"), asked, make.a_resource())
    assert set(refused.value.fields) == {"fields.passphrase.provider.id", "name"}


async def test_a_creation_tells_more_than_why_nothing_could_be_chosen() -> None:
    many = REFUSED.model_copy(update={"fields": (*REFUSED.fields, FieldProblem(field="integration", detail="none"))})
    others = Others(problem=many, choice=Invalid("integration_incompatible", "None fits."))
    with pytest.raises(Invalid) as refused:
        await others.descriptions.describe(WHO, AppId("a"), ASKED, make.a_resource())
    assert set(refused.value.fields) == {"name", "integration"}


async def test_a_choice_that_was_refused_stays_refused() -> None:
    others = Others(choice=Invalid("integration_incompatible", "None fits."))
    with pytest.raises(Invalid, match="integration_incompatible"):
        await others.descriptions.describe(WHO, AppId("a"), ASKED, make.a_resource())


async def test_a_single_kind_of_fault_stays_as_it_is() -> None:
    conflict = Problem(code="nothing_masked", kind="conflict", detail="No secret.")
    with pytest.raises(Conflict, match="nothing_masked"):
        await Others(problem=conflict, choice=Invalid("x", "y")).descriptions.describe(
            WHO, AppId("a"), ASKED, make.a_resource()
        )
    assert together(None, None) is None


def test_a_name_and_a_resource_may_be_left_out_of_a_dry_run() -> None:
    body = DryRunBody.model_validate({"type": "source"})
    assert (body.request().name, body.request().urn_id, body.id) == ("", "", None)
    Draft202012Validator(DryRunBody.model_json_schema()).validate({"type": "source"})


async def test_without_a_resource_the_draft_is_asked_for_without() -> None:
    others = Others(problem=REFUSED)
    run = await others.run(replace(ASKED, urn_id=""))
    assert ([question.resource for question in others.asked], run.problem) == ([None], REFUSED)
