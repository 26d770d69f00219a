"""The forms of our integrations can be drawn and filled in."""

from typing import Any

import pytest
from integrations.fs.manifest import MANIFEST as FS
from integrations.s3.manifest import MANIFEST as S3
from integrations.sdk import field_schema
from integrations.sdk.form_rules import form_faults
from jsonschema import Draft202012Validator

FORMS = {
    f"{protocol.name} {kind}": protocol.schemas[kind]
    for manifest in (FS, S3)
    for protocol in manifest.protocols
    for kind in protocol.kinds
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_form_has_order_titles_help_and_values_that_fit(form: Any) -> None:
    assert list(form_faults(form)) == []


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ({"type": "integer"}, "is no string"),
        ({"title": ""}, "has no title"),
        ({"description": " "}, "has no description"),
        ({"x-order": None}, "has no x-order"),
        ({"x-order": 1}, "same x-order"),
        ({"x-type": "slider"}, "x-type"),
        ({"x-from": ["endpoint.colour"]}, "unknown source"),
        ({"x-when": {"field": "nothing", "values": ["1"]}}, "x-when"),
        ({"x-when": {"field": "one", "values": []}}, "x-when"),
        ({"pattern": "^[0-9]$", "examples": ["x"]}, "does not fit"),
        ({"pattern": "^[0-9]$", "default": "x"}, "does not fit"),
        ({"x-secret": True, "default": "word"}, "is secret"),
        ({"x-secret": True, "x-from": ["tag.word"]}, "is secret"),
    ],
)
def test_what_people_would_stumble_over_is_said(field: dict[str, Any], said: str) -> None:
    good = field_schema.fields(
        {"one": field_schema.text("One", "The first."), "two": field_schema.text("Two", "The second.")},
        required=["one"],
    )
    assert list(form_faults(good)) == []
    properties: Any = good["properties"]
    properties["two"] |= field
    assert any(said in fault for fault in form_faults(good))


def test_a_field_can_be_required_beside_a_value_of_another_one() -> None:
    form = field_schema.fields(
        {
            "by": field_schema.text("By", "How to log in.", enum=["key", "word"], default="word"),
            "key": field_schema.only_when(field_schema.text("Key", "The key."), "by", "key"),
        },
        required=[],
        rules=[field_schema.required_when("by", "key", required=["key"])],
    )
    validator = Draft202012Validator(form)
    assert [validator.is_valid(each) for each in ({}, {"by": "word"}, {"by": "key"}, {"by": "key", "key": "k"})] == [
        True,
        True,
        False,
        True,
    ]
