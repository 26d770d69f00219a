"""A dry run of a change tells nobody what a secret is, neither in words nor by a difference."""

import json
from typing import Any, cast

import pytest
from contracts.field_values import FieldValue
from contracts.queries.assignment import Choice, ReachableApp
from contracts.queries.wizard import Draft, DraftQuestion, Origin, PrefilledField
from contracts.values import IntegrationId
from gateway.areas.connectors.descriptions import Descriptions
from gateway.areas.connectors.preconditions import ConnectorRequest, GivenField
from gateway.areas.wizard.schemas.dry_runs import dry_run_view
from gateway.areas.wizard.service import Wizard

from tests.support import builders as make
from tests.unit.gateway.test_bundle_values import MASKED, SECRET, Filled, someone


class Asked:
    """The services that a dry run asks, about a connector whose secret came from a bundle."""

    def __init__(self, app: ReachableApp, filled: Filled) -> None:
        self.current, self.filled = app, filled
        self.questions: list[DraftQuestion] = []

    async def resource(self, *_: object) -> Any:
        return make.a_resource()

    async def app(self, *_: object) -> ReachableApp:
        return self.current

    async def choose(self, *_: object, **__: object) -> Choice:
        return Choice(integration_id=IntegrationId("int-fs"), protocol="fs", clear_fields=frozenset({"region"}))

    async def draft(self, _: object, question: DraftQuestion) -> Draft:
        self.questions.append(question)
        origin = Origin(kind="bundle", id="b1", name="keys")
        return Draft(app=self.current, filled={"key": PrefilledField(value=None, masked=True, origin=origin)})


async def try_with(role: str, given: GivenField) -> tuple[FieldValue, str]:
    """How a value of the secret field travels, and the whole answer."""
    filled = Filled()
    asked = Asked(await filled.app(b1="keys"), filled)
    own = cast("Any", asked)
    wizard = Wizard(own, own, own, Descriptions(own, filled.encryption), timeout_seconds=1)
    request = ConnectorRequest(kind="source", name="files", urn_id="res-1", fields={"key": given})
    run = await wizard.dry_run(someone(role), request, connector_id="app-1", test=False)
    return asked.questions[0].description.fields["key"], dry_run_view(run).model_dump_json()


@pytest.mark.parametrize("role", ["operator", "auditor"])
async def test_a_right_guess_is_a_guess_to_who_may_not_see_secrets(role: str) -> None:
    right, answer = await try_with(role, SECRET)
    wrong, same = await try_with(role, GivenField("canary: some other key"))
    assert (right.keep, wrong.keep) == (False, False)
    assert right.sealed is not None
    assert json.loads(answer) == json.loads(same)
    assert "canary" not in answer


async def travels_as(role: str, given: GivenField) -> tuple[FieldValue, FieldValue]:
    """How a secret of the connector's own travels when it is changed, and how it is kept."""
    filled = Filled()
    app = await filled.app()
    own = cast("Any", Asked(app, filled))
    request = ConnectorRequest(kind="source", name="files", urn_id="res-1", fields={"own": given})
    descriptions = Descriptions(own, filled.encryption)
    description = await descriptions.describe(someone(role), app.id, request, make.a_resource(), replaces=app)
    return description.fields["own"], app.fields["own"]


async def test_a_secret_is_the_same_when_it_is_sent_back_by_who_may_read_it() -> None:
    travels, kept = await travels_as("owner", SECRET)
    assert travels == kept
    travels, kept = await travels_as("owner", GivenField("canary: some other key"))
    assert travels.sealed not in (None, kept.sealed)


async def test_whether_a_guess_is_a_change_tells_nobody_else_anything() -> None:
    travels, kept = await travels_as("operator", SECRET)
    assert travels.sealed not in (None, kept.sealed)


async def test_who_may_see_secrets_sends_them_back_and_reads_none() -> None:
    for given in (SECRET, MASKED):
        travels, answer = await try_with("owner", given)
        assert travels == FieldValue(keep=True)
        assert "canary" not in answer
    assert '"masked":true' in answer
