"""Values of a form and of a draft that bundles give, beside what is known of the resource; over the memory store."""

from typing import Any

import pytest
from assignment.apps import wizard
from contracts.messages.catalog import Resource
from contracts.queries.wizard import Draft, DraftQuestion, Form, FormQuestion, PrefilledField
from contracts.values import AppId, IntegrationId

from tests.support import builders as make
from tests.unit.assignment.bundled import BUCKET, Bundled, bundled

KEYS = {"access_key": make.clear("AKIA"), "secret_access_key": make.sealed()}
PORTS = make.a_schema(
    "root",
    root={"minLength": 1, "x-from": ["resource.name"]},
    port={"pattern": "^[0-9]{1,5}$", "x-from": ["endpoint.port"], "default": "22"},
    mode={"enum": ["fast", "slow"], "default": "slow"},
)
PORTED = make.an_integration("ports", matches="service/sftp", protocols=[make.a_protocol("ports", schema=PORTS)])
HOST = make.a_resource(
    **{"class": "service", "subclass": "sftp", "endpoints": [{"endpoint": "nas.example.org:2222", "kind": "host"}]}
)


async def the_form(service: Bundled, resource: Resource = BUCKET, integration: str = "int-s3", **asked: Any) -> Form:
    question = {"kind": "source", "integration_id": integration, "resource": resource, **asked}
    return await wizard.form_for(service.store, make.ORG, FormQuestion.model_validate(question))


async def a_draft(service: Bundled, **description: Any) -> Draft:
    described = make.an_app_description(**{"integration_id": IntegrationId("int-s3"), "fields": {}, **description})
    question = DraftQuestion(app_id=AppId("new"), replaces=False, description=described, resource=BUCKET)
    return await wizard.draft(service.store, make.ORG, question)


def origins(fields: dict[str, PrefilledField]) -> dict[str, tuple[str | None, str, str]]:
    return {name: (each.value, each.origin.kind, each.origin.name) for name, each in fields.items()}


async def test_a_bundle_that_completes_a_form_says_so_and_shows_no_secret() -> None:
    service = await bundled()
    await service.says(make.create_bundle("b-1", name="keys", fields={**KEYS, "root": make.clear("documents")}))
    form = await the_form(service)
    assert origins(form.fields) == {
        "root": ("documents", "bundle", "keys"),
        "access_key": ("AKIA", "bundle", "keys"),
        "secret_access_key": (None, "bundle", "keys"),
    }
    secret = form.fields["secret_access_key"]
    assert (secret.masked, secret.origin.id, form.fields["root"].masked) == (True, "b-1", False)
    assert (form.complete, form.faults) == (True, ())
    assert make.sealed().model_dump()["sealed"]["ciphertext"] not in form.model_dump_json()


async def test_what_is_missing_beside_a_bundle_keeps_a_form_incomplete() -> None:
    service = await bundled()
    await service.says(make.create_bundle(name="keys", fields=KEYS))
    form = await the_form(service)
    assert (sorted(form.fields), form.complete) == (["access_key", "secret_access_key"], False)


async def test_a_bundle_goes_before_endpoints_and_defaults() -> None:
    service = await bundled()
    await service.hear(make.integration_offered(PORTED))
    form = await the_form(service, HOST, "int-ports")
    assert origins(form.fields) == {
        "root": ("files", "resource", "files"),
        "port": ("2222", "endpoint", "nas.example.org:2222"),
        "mode": ("slow", "default", ""),
    }
    fields = {"port": make.clear("2200"), "mode": make.clear("fast")}
    await service.says(make.create_bundle(name="ports", fields=fields))
    form = await the_form(service, HOST, "int-ports")
    assert origins(form.fields) == {
        "root": ("files", "resource", "files"),
        "port": ("2200", "bundle", "ports"),
        "mode": ("fast", "bundle", "ports"),
    }
    [ports] = form.protocols
    assert {each.name: each.inventory_value for each in ports.fields}["port"] == "2222"


@pytest.mark.parametrize(
    ("tags", "environment", "counts"),
    [
        ((), None, "elsewhere"),
        (("environment=production",), None, "production"),
        (("environment=production",), "testing", "elsewhere"),
        ((), "production", "production"),
    ],
)
async def test_the_environment_decides_which_bundle_fills(
    tags: tuple[str, ...], environment: str | None, counts: str
) -> None:
    service = await bundled()
    await service.says(
        make.create_bundle(name="elsewhere", fields={"root": make.clear("elsewhere")}),
        make.create_bundle(name="production", environment="production", fields={"root": make.clear("production")}),
    )
    resource = BUCKET.model_copy(update={"tags": tags})
    form = await the_form(service, resource, environment=environment)
    assert form.fields["root"].origin.name == counts


async def test_what_a_bundle_has_and_cannot_be_used_is_told() -> None:
    service = await bundled()
    await service.says(
        make.create_bundle(name="odd", fields={**KEYS, "root": make.clear("x"), "use_tls": make.clear("maybe")})
    )
    form = await the_form(service)
    [fault] = form.faults
    assert (fault.field, form.complete) == ("fields.use_tls", False)
    assert "'odd'" in fault.detail
    assert "maybe" not in fault.detail


async def test_bundles_that_contradict_each_other_leave_the_field_to_a_person() -> None:
    service = await bundled()
    for colour in ("red", "blue"):
        await service.says(make.create_bundle(name=colour, tags=[colour], fields={**KEYS, "root": make.clear(colour)}))
    form = await the_form(service, BUCKET.model_copy(update={"tags": ("red", "blue")}))
    # Both have the same keys, so that it is no matter whose they are.
    assert (sorted(form.fields), form.complete) == (["access_key", "secret_access_key"], False)
    [fault] = form.faults
    assert fault.field == "fields.root"
    assert "'blue' and 'red'" in fault.detail


async def test_a_form_of_no_resource_is_filled_by_no_bundle() -> None:
    service = await bundled()
    await service.says(make.create_bundle(name="keys", fields=KEYS))
    question = FormQuestion(kind="source", integration_id=IntegrationId("int-s3"))
    assert (await wizard.form_for(service.store, make.ORG, question)).fields == {}


async def test_a_draft_says_what_bundles_fill_and_shows_no_secret() -> None:
    service = await bundled()
    await service.says(make.create_bundle(name="keys", fields={**KEYS, "root": make.clear("documents")}))
    draft = await a_draft(service, fields={"root": make.clear("letters")})
    assert origins(draft.filled) == {
        "access_key": ("AKIA", "bundle", "keys"),
        "secret_access_key": (None, "bundle", "keys"),
    }
    assert draft.app is not None
    assert (draft.lacking, draft.app.fields["root"].value) == ((), "letters")
    assert draft.filled["secret_access_key"].masked


async def test_a_draft_that_is_refused_says_what_bundles_fill_all_the_same() -> None:
    service = await bundled()
    await service.says(make.create_bundle(name="keys", fields=KEYS))
    draft = await a_draft(service, name="")
    assert draft.problem is not None
    assert sorted(draft.filled) == ["access_key", "secret_access_key"]
