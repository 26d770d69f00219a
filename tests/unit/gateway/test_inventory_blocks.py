"""The blocks of inventories: read by the settings of the type, shown as they were sent, described as they are read."""

import json
from pathlib import Path
from typing import Any

import pytest
from contracts.inventory_types import MANAGED, SETTINGS, InventoryType, block_of
from contracts.messages.catalog import Inventory
from contracts.queries.catalog import CountedInventory
from gateway.areas.connectors.preconditions import GivenField
from gateway.areas.inventories.blocks import example_of
from gateway.areas.inventories.schemas import InventoryBody, InventoryRowView, inventory_row, inventory_view
from gateway.areas.inventories.service import ReadInventory
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from tests.unit.gateway.test_views import shown

DOCUMENT = json.loads((Path(__file__).parents[3] / "gateway/openapi.json").read_text())
AWS = {
    "credentials_type": "access_key",
    "region": "eu-west-1",
    "access_key": {"value": "AK"},
    "secret_access_key": {"value": "canary"},
}


def asked(kind: str, block: Any) -> dict[str, GivenField]:
    body = InventoryBody.model_validate({"name": "n", "type": kind, f"{kind}_configuration": block})
    return dict(body.request().settings)


def fits(model: str, body: object) -> bool:
    """Whether a body is as the document describes it."""
    schema = {"$ref": f"#/components/schemas/{model}", "components": DOCUMENT["components"]}
    return bool(Draft202012Validator(schema).is_valid(body))


def refused(body: object) -> list[tuple[str, ...]]:
    with pytest.raises(ValidationError) as error:
        InventoryBody.model_validate(body)
    return [tuple(map(str, fault["loc"])) for fault in error.value.errors()]


@pytest.mark.parametrize("kind", MANAGED)
def test_each_type_is_read_back_as_it_was_sent(kind: InventoryType) -> None:
    block = example_of(kind)
    body = InventoryBody.model_validate({"name": "n", "type": kind, block_of(kind): block})
    settings = body.request().settings
    assert list(settings) == [setting.name for setting in SETTINGS[kind]]
    inventory = CountedInventory.model_validate({"id": "i", "name": "n", "type": kind, "revision": 1, "count": 0})
    view = shown(inventory_view(ReadInventory(inventory, settings)))
    assert view[block_of(kind)] == block
    assert [name for name in view if name.endswith("_configuration")] == [block_of(kind)]
    assert InventoryBody.model_validate(view).request() == body.request()


def test_what_was_not_sent_is_left_out() -> None:
    sent = {
        "credentials_type": "iam",
        "region": "",
        "access_key": None,
        "secret_access_key": {"value": None},
        "more": 1,
    }
    settings = asked("aws", sent)
    assert settings == {"credentials_type": GivenField("iam"), "region": GivenField("")}
    inventory = CountedInventory.model_validate({"id": "i", "name": "n", "type": "aws", "revision": 1})
    view = shown(inventory_view(ReadInventory(inventory, settings)))
    assert view["aws_configuration"] == {"credentials_type": "iam", "region": ""}


def test_the_block_of_the_type_counts_alone() -> None:
    body = {
        "name": "n",
        "type": "gcp",
        "aws_configuration": AWS,
        "gcp_configuration": {"gcp_project_id": {"value": "p"}},
    }
    assert InventoryBody.model_validate(body).request().settings == {"gcp_project_id": GivenField("p")}
    for none in ({}, {"k8s_configuration": None}, {"k8s_configuration": {}}):
        assert InventoryBody.model_validate({"name": "n", "type": "k8s", **none}).request().settings == {}
    typed_in = InventoryBody.model_validate({"name": "n", "type": "self-managed", "aws_configuration": AWS}).request()
    assert (typed_in.kind, typed_in.settings) == ("self-managed", {})


def test_fields_are_literal_masked_or_refer_to_a_provider() -> None:
    block = AWS | {"access_key": {"value": "path", "provider": {"id": "p-1"}}, "secret_access_key": {"masked": True}}
    settings = asked("aws", block)
    assert settings["access_key"] == GivenField("path", "p-1")
    assert settings["secret_access_key"] == GivenField("", masked=True)


@pytest.mark.parametrize(
    ("block", "place"),
    [
        (7, ()),
        ([], ()),
        (AWS | {"credentials_type": "password"}, ("credentials_type",)),
        (AWS | {"region": 7}, ("region",)),
        (AWS | {"region": {"value": "eu"}}, ("region",)),
        (AWS | {"access_key": "AK"}, ("access_key",)),
        (AWS | {"access_key": {"value": 7}}, ("access_key", "value")),
        (AWS | {"secret_access_key": {"value": "canary", "masked": True}}, ("secret_access_key",)),
    ],
)
def test_what_has_another_form_is_named(block: object, place: tuple[str, ...]) -> None:
    body = {"name": "n", "type": "aws", "aws_configuration": block}
    assert ("aws_configuration", *place) in refused(body)
    assert not fits("InventoryBody", body)


def test_the_document_says_what_each_type_requires() -> None:
    for kind in MANAGED:
        block = example_of(kind)
        whole = {"name": "n", "type": kind, block_of(kind): block}
        assert fits("InventoryBody", whole), kind
        assert fits(f"{kind.capitalize()}InventoryBody", whole), kind
        for setting in SETTINGS[kind]:
            without = {name: value for name, value in block.items() if name != setting.name}
            empty = block | {setting.name: "" if setting.is_text else {"value": ""}}
            needed = setting.required or setting.required_with is not None
            for changed in (without, empty):
                assert fits("InventoryBody", whole | {block_of(kind): changed}) != needed, (kind, setting.name)
    assert fits("InventoryBody", {"name": "n", "type": "k8s"})
    assert fits("InventoryBody", {"name": "n", "type": "self-managed"})
    assert not fits("InventoryBody", {"name": "n", "type": "aws"})
    assert fits(
        "InventoryBody", {"name": "n", "type": "aws", "aws_configuration": {**AWS, "access_key": {"masked": True}}}
    )
    role = {"credentials_type": "iam", "region": "eu-west-1"}
    assert fits("InventoryBody", {"name": "n", "type": "aws", "aws_configuration": role})


def test_rows_have_no_configuration() -> None:
    assert not [name for name in InventoryRowView.model_fields if "configuration" in name]
    inventory = Inventory.model_validate(
        {"id": "i", "name": "n", "type": "k8s", "revision": 1, "configuration": {"k8s_kubeconf": {"value": "canary"}}}
    )
    row = inventory_row(CountedInventory(**dict(inventory), count=3))
    assert "canary" not in row.model_dump_json()
