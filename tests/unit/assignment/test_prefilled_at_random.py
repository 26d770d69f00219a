"""What a form promises, a connector keeps that takes over what the form shows: whatever bundles and tags there are."""

import asyncio
from typing import Any

import pytest
from assignment.apps import wizard
from contracts.messages.catalog import Resource
from contracts.queries.wizard import Draft, DraftQuestion, Form, FormQuestion
from contracts.values import AppId, IntegrationId
from hypothesis import given
from hypothesis import strategies as st

from tests.support import builders as make
from tests.support.builders import clear, sealed
from tests.support.random_cases import random_cases
from tests.unit.assignment.bundled import Bundled

pytestmark = pytest.mark.fuzz
SCHEMA = make.a_schema(
    "root",
    "key",
    root={"minLength": 1, "pattern": "^[a-z]+$", "x-from": ["tag.bucket"]},
    key={"x-secret": True},
    port={"pattern": "^[0-9]{0,5}$", "x-from": ["endpoint.port"]},
    mode={"enum": ["fast", "slow"], "default": "slow"},
)
RICH = make.an_integration("rich", matches="object-storage/s3", protocols=[make.a_protocol("rich", schema=SCHEMA)])
# Some fit and some do not; of secrets one is as good as another.
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "root": st.sampled_from(["documents", "letters", "UPPER", ""]).map(clear),
        "key": st.just(sealed()),
        "port": st.sampled_from(["9000", "no port"]).map(clear),
        "mode": st.sampled_from(["fast", "slow", "odd"]).map(clear),
    },
)
BUNDLES = st.lists(
    st.fixed_dictionaries(
        {
            "environment": st.sampled_from(["", "production"]),
            "tags": st.sampled_from([(), ("red",), ("blue",)]),
            "fields": FIELDS,
        }
    ),
    max_size=4,
)
RESOURCES = st.builds(
    lambda tags, port: make.a_resource(
        **{
            "class": "object-storage",
            "subclass": "s3",
            "tags": sorted(tags),
            "endpoints": [{"endpoint": f"s3.example.org{port}", "kind": "host"}],
        }
    ),
    st.sets(st.sampled_from(["red", "blue", "bucket=mail", "bucket=NONE", "environment=production"])),
    st.sampled_from(["", ":9000"]),
)


async def shown_and_taken(resource: Resource, bundles: list[dict[str, Any]]) -> tuple[Form, Draft]:
    """The form, and what would become of a connector that takes over what it shows and leaves the rest to bundles."""
    service = Bundled()
    await service.hear(make.integration_offered(RICH))
    for number, said in enumerate(bundles):
        # Those that contradict each other are refused, but for those that different tags keep apart.
        await service.do(make.create_bundle(f"b-{number}", **said))
    form = await wizard.form_for(
        service.store, make.ORG, FormQuestion(kind="source", integration_id=RICH.id, resource=resource)
    )
    taken = {name: clear(each.value) for name, each in form.fields.items() if each.origin.kind != "bundle"}
    environment = form.environment.value if form.environment else ""
    description = make.an_app_description(
        integration_id=IntegrationId(RICH.id), fields=taken, environment=environment, kind="source"
    )
    question = DraftQuestion(app_id=AppId("new"), replaces=False, description=description, resource=resource)
    return form, await wizard.draft(service.store, make.ORG, question)


@random_cases(quick=60)
@given(RESOURCES, BUNDLES)
def test_what_a_form_shows_is_what_a_connector_gets(resource: Resource, bundles: list[dict[str, Any]]) -> None:
    form, draft = asyncio.run(shown_and_taken(resource, bundles))
    assert form.complete == (draft.problem is None and not draft.lacking)
    refused = {each.field for each in (draft.problem.fields if draft.problem else ())}
    # Beside what does not fit, a refusal names what is missing.
    assert {each.field for each in form.faults} <= refused
    assert bool(form.faults) == (draft.problem is not None)
    assert draft.filled == {name: each for name, each in form.fields.items() if each.origin.kind == "bundle"}
    if draft.app is not None:
        assert {name: value.value for name, value in draft.app.fields.items()} == {
            name: each.value for name, each in form.fields.items()
        }
