"""The reads of a person who makes a connector, over the memory store."""

from typing import Any

import pytest
from assignment.apps import wizard
from assignment.apps.domain.names import suggested_names
from contracts.endpoints import endpoint_of
from contracts.errors import Invalid, NotFound
from contracts.messages.catalog import Resource
from contracts.messages.connector.base import EVERYBODY
from contracts.messages.connector.offers import PoolOffered, Reach
from contracts.queries.wizard import CompatibilityQuestion, DraftQuestion, FormQuestion
from contracts.values import AppId, IntegrationId
from gateway.areas.wizard.schemas.compatible import compatible_view
from hypothesis import given
from hypothesis import strategies as st

from tests.support import builders as make
from tests.unit.assignment.test_usecases import Assignment

KEYS = make.a_schema(
    "root",
    "token",
    root={"pattern": "^/", "x-path": True, "x-from": ["endpoint.identifier", "tag.path"], "x-order": 1},
    token={"x-secret": True, "x-order": 2, "title": "Token"},
    port={"pattern": "^[0-9]{1,5}$", "x-from": ["endpoint.port"], "default": "22", "x-order": 3, "x-type": "port"},
    mode={"enum": ["fast", "slow"], "default": "slow", "x-when": {"field": "port", "values": ["22", ""]}, "x-order": 0},
)
SHELF = make.an_integration(
    "shelf",
    matches=[{"class": "file-storage", "subclass": "posix"}, {"class": "archive", "subclass": ""}],
    protocols=[
        make.a_protocol("shelf+local", "source", "store"),
        make.a_protocol("shelf+keys", "source", schema=KEYS),
    ],
)
TAGS = ("environment=production", "data_class=pii", "path=/srv/files", "data-class=mail", "data_class=pii", "loose")
RESOURCE = make.a_resource(tags=TAGS, endpoints=[{"endpoint": "nas.example.org:2222", "kind": "host"}])


@pytest.fixture
async def assignment() -> Assignment:
    made = Assignment()
    for integration in (make.fs_integration(), make.s3_integration(), SHELF):
        await made.hear(make.integration_offered(integration))
    return made


async def the_form(assignment: Assignment, **asked: Any) -> Any:
    question = {"kind": "source", "integration_id": SHELF.id, "resource": RESOURCE, **asked}
    return await wizard.form_for(assignment.store, make.ORG, FormQuestion.model_validate(question))


async def compatible(assignment: Assignment, **asked: Any) -> Any:
    question = CompatibilityQuestion.model_validate({"kind": "source", "resource": RESOURCE} | asked)
    return await wizard.compatible(assignment.store, make.ORG, question)


async def test_integrations_come_with_the_reason_of_each_match_and_near_miss(assignment: Assignment) -> None:
    found = await compatible(assignment)
    assert [(each.integration.name, each.code, each.made_for) for each in found.items] == [
        ("fs", "subclass_matches", True),
        ("shelf", "subclass_matches", True),
    ]
    assert found.items[1].protocols == ("shelf+local", "shelf+keys")
    assert (found.near_misses, found.chosen) == ((), None)

    bucket = make.a_resource(**{"class": "object-storage", "subclass": "s3"})
    found = await compatible(assignment, resource=bucket)
    assert found.chosen == "int-s3"
    found = await compatible(assignment, resource=make.a_resource(subclass="nfs"))
    assert {each.integration.name: each.code for each in found.near_misses} == {
        "fs": "subclass_differs",
        "shelf": "subclass_differs",
    }
    found = await compatible(assignment, kind="destination")
    assert [each.code for each in found.near_misses] == ["kind_not_offered", "kind_not_offered"]


@pytest.mark.parametrize(
    ("resource", "name", "reason"),
    [
        ({"class": "database", "subclass": ""}, "", "No integration works with resources of class database."),
        (
            {"class": "database", "subclass": "postgres"},
            "fs",
            "No integration works with resources of class database, subclass postgres.",
        ),
        ({}, "nas", "No integration that fits is called 'nas'."),
        ({}, "", None),
        ({"subclass": "nfs"}, "", None),
    ],
)
async def test_an_empty_list_says_why(
    assignment: Assignment, resource: dict[str, Any], name: str, reason: str | None
) -> None:
    found = await compatible(assignment, resource=make.a_resource(**resource), name=name)
    assert found.reason == reason
    assert (not found.items and not found.near_misses) == (reason is not None)
    assert compatible_view(found).reason == reason


async def test_a_name_narrows_the_list_and_not_the_choice(assignment: Assignment) -> None:
    found = await compatible(assignment, name="SHEL")
    assert [each.integration.name for each in found.items] == ["shelf"]
    assert found.chosen is None


async def test_without_a_resource_all_that_do_the_kind_are_listed(assignment: Assignment) -> None:
    found = await compatible(assignment, resource=None, kind="destination")
    assert [(each.integration.name, each.code) for each in found.items] == [("s3", "kind_offered")]
    assert found.chosen is None


async def test_a_form_has_its_fields_in_order_with_what_is_known(assignment: Assignment) -> None:
    form = await the_form(assignment, protocol="shelf+keys")
    [_, keys] = form.protocols
    assert [field.name for field in keys.fields] == ["mode", "root", "token", "port", "passphrase"]
    assert list(keys.form["properties"]) == ["mode", "root", "token", "port", "passphrase"]
    by_name = {field.name: field for field in keys.fields}
    assert [by_name[n].type for n in ("mode", "root", "token", "port")] == ["choice", "path", "secret", "port"]
    assert by_name["mode"].when.model_dump() == {"field": "port", "values": ("22", "")}
    assert (by_name["root"].required, by_name["root"].inventory_value) == (True, "/srv/files")
    assert (by_name["port"].default, by_name["port"].inventory_value) == ("22", "2222")
    assert by_name["token"].display_name == "Token"
    assert {name: (each.value, each.origin.kind, each.origin.name) for name, each in form.fields.items()} == {
        "mode": ("slow", "default", ""),
        "root": ("/srv/files", "tag", "path=/srv/files"),
        "port": ("2222", "endpoint", "nas.example.org:2222"),
    }
    assert not form.complete


@pytest.mark.parametrize(
    ("addresses", "root", "port"),
    [
        (("/srv/x",), "/srv/x", None),
        (("nas.example.org:2222", "/srv/x"), "/srv/x", "2222"),
        (("urn:nas:2222", "nas.example.org:23"), "/srv/files", "23"),
        # What begins an identifier is no host with a port.
        (("urn:2222",), "/srv/files", None),
    ],
)
async def test_endpoints_as_the_catalog_reads_them_are_proposed(
    assignment: Assignment, addresses: tuple[str, ...], root: str, port: str | None
) -> None:
    resource = make.a_resource(tags=TAGS, endpoints=list(map(endpoint_of, addresses)))
    form = await the_form(assignment, protocol="shelf+keys", resource=resource)
    shown = {field.name: field.inventory_value for field in form.protocols[1].fields}
    assert (shown["root"], shown["port"]) == (root, port)
    assert form.fields["root"].value == root


async def test_tags_fill_environment_and_data_classes_of_a_source_alone(assignment: Assignment) -> None:
    form = await the_form(assignment)
    assert form.environment.value == "production"
    assert form.data_classes.values == ("pii", "mail")
    assert form.endpoints.values == ("nas.example.org:2222",)
    store = await the_form(assignment, kind="store")
    assert (store.environment, store.data_classes) == (None, None)
    assert store.protocol == "shelf+local"


async def test_a_protocol_is_chosen_where_there_is_one_and_asked_for_where_there_are_more(
    assignment: Assignment,
) -> None:
    form = await the_form(assignment)
    assert (form.protocol, form.fields, len(form.protocols)) == (None, {}, 2)
    assert (await the_form(assignment, protocol="shelf+local")).protocol == "shelf+local"
    with pytest.raises(Invalid, match="protocol_not_found"):
        await the_form(assignment, protocol="fs")


async def test_there_is_no_form_for_what_an_assignment_refuses(assignment: Assignment) -> None:
    with pytest.raises(NotFound, match="integration_not_found"):
        await the_form(assignment, integration_id="int-nothing")
    with pytest.raises(Invalid, match="integration_incompatible"):
        await the_form(assignment, integration_id="int-s3")
    with pytest.raises(Invalid, match="kind_not_offered"):
        await the_form(assignment, kind="destination")


async def test_names_that_are_used_on_the_resource_are_not_suggested_again(assignment: Assignment) -> None:
    names = [each.value for each in (await the_form(assignment)).names]
    assert names[:2] == ["files", "files source"]
    await assignment.do(make.assign_app("app-1", name="files", resource=RESOURCE, integration_id="int-fs"))
    await assignment.do(make.assign_app("app-2", name=names[2], resource=RESOURCE, integration_id="int-fs"))
    later = [each.value for each in (await the_form(assignment)).names]
    assert "files" not in later
    assert names[2] not in later
    assert (await the_form(assignment, kind="store")).names[0].value == "files"


@given(st.text(max_size=300), st.sampled_from(["source", "store", "destination"]), st.integers(1, 5))
def test_there_is_always_a_name_left(name: str, kind: Any, rounds: int) -> None:
    resource: Resource = make.a_resource(name=name)
    everything = set[str]()
    for _ in range(rounds):
        found = suggested_names(resource, kind, everything)
        assert len({each.value for each in found}) == len(found) == 4
        assert not everything & {each.value for each in found}
        assert all(0 < len(each.value) <= 255 for each in found)
        everything |= {each.value for each in found}


async def a_draft(assignment: Assignment, app_id: str = "new", *, replaces: bool = False, **description: Any) -> Any:
    described = make.an_app_description(integration_id="int-fs", **description)
    question = DraftQuestion(app_id=AppId(app_id), replaces=replaces, description=described, resource=RESOURCE)
    return await wizard.draft(assignment.store, make.ORG, question)


async def test_a_draft_is_the_app_that_would_be_and_nothing_is_kept(assignment: Assignment) -> None:
    await assignment.hear(
        PoolOffered(
            organization_id=EVERYBODY, pool="branch", reach=(Reach(protocol="fs", field="root", within=("/srv",)),)
        )
    )
    said = assignment.said()
    draft = await a_draft(assignment)
    assert (draft.problem, draft.integration_id, draft.protocol) == (None, IntegrationId("int-fs"), "fs")
    assert (draft.app.id, draft.app.revision, draft.app.pools) == ("new", 0, ("branch",))
    assert assignment.said() == said
    assert await assignment.store.apps.get(make.ORG, "new") is None


async def test_a_draft_says_all_that_is_wrong_and_what_is_missing(assignment: Assignment) -> None:
    draft = await a_draft(assignment, name="", fields={"root": make.clear("srv"), "colour": make.clear("red")})
    assert draft.app is None
    assert {each.field for each in draft.problem.fields} == {"name", "fields.root", "fields.colour"}
    draft = await a_draft(assignment, fields={})
    assert [lack.field for lack in draft.lacking] == ["fields.root"]
    assert draft.app.lacking == draft.lacking


async def test_a_draft_of_a_change_keeps_the_secrets_that_are_there(assignment: Assignment) -> None:
    await assignment.do(
        make.assign_app(
            "app-1", integration_id="int-fs", fields={"root": make.clear("/srv"), "passphrase": make.sealed()}
        )
    )
    kept = {"root": make.clear("/srv/other"), "passphrase": {"keep": True}}
    draft = await a_draft(assignment, "app-1", replaces=True, fields=kept)
    assert draft.app.fields["passphrase"] == make.sealed()
    draft = await a_draft(assignment, "app-1", replaces=True, kind="store", name="", fields=kept)
    assert {each.field for each in draft.problem.fields} == {"type", "name"}
    with pytest.raises(NotFound, match="app_not_found"):
        await a_draft(assignment, "nothing", replaces=True)
