"""Whether the fields of an app fit its protocol's schema."""

from typing import Any

import pytest
from assignment.apps.domain.choice import Choice, choose
from assignment.apps.domain.configuration import check_configuration
from contracts.errors import Invalid
from contracts.field_values import FieldValue

from tests.support import builders as make
from tests.support.builders import clear, provided, sealed

CANARY = "canary-in-a-value"
BUCKET = make.a_resource(**{"class": "object-storage", "subclass": "s3"})
S3 = choose([make.s3_integration()], BUCKET, kind="store")
COMPLETE = {"root": clear("bucket"), "access_key": clear("AKIA"), "secret_access_key": sealed()}


def choice_of(**schema: Any) -> Choice:
    integration = make.an_integration(protocols=[make.a_protocol("fs", schema={**make.FS_SCHEMA, **schema})])
    return choose([integration], make.a_resource(), kind="source")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"secret_access_key": provided()},
        {"root": provided()},
        {"use_tls": clear("false")},
        {"use_tls": clear("")},
        {"use_tls": clear(None)},
        {"use_tls": sealed()},
        {"passphrase": sealed()},
        {"root": clear("two\nlines")},
    ],
)
def test_a_configuration_that_fits(changes: dict[str, FieldValue]) -> None:
    assert check_configuration(S3, {**COMPLETE, **changes}) == ()


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"root": None}, ["root"]),
        ({"root": clear("")}, ["root"]),
        ({"root": clear(None)}, ["root"]),
        ({"secret_access_key": None}, ["secret_access_key"]),
        ({"secret_access_key": clear("")}, ["secret_access_key"]),
        (dict.fromkeys(COMPLETE), ["root", "access_key", "secret_access_key"]),
    ],
)
def test_what_is_missing_may_be_filled_in_later(changes: dict[str, FieldValue | None], missing: list[str]) -> None:
    fields = {name: value for name, value in {**COMPLETE, **changes}.items() if value is not None}
    found = check_configuration(S3, fields)
    assert [(f.field, f.detail) for f in found] == [(f"fields.{name}", "is missing") for name in missing]
    with pytest.raises(Invalid) as refused:
        check_configuration(S3, {**fields, "use_tls": clear("maybe")})
    assert refused.value.fields.keys() == {"fields.use_tls", *(f"fields.{name}" for name in missing)}


def test_one_of_several_may_be_filled_in_later() -> None:
    either = choice_of(
        properties={"root": {}, "key": {}, "password": {"x-secret": True}},
        anyOf=[{"required": ["key"]}, {"required": ["password"]}],
    )
    assert [f.field for f in check_configuration(either, {"root": clear("/a")})] == ["fields"]
    assert check_configuration(either, {"root": clear("/a"), "password": sealed()}) == ()


@pytest.mark.parametrize(
    ("changes", "field", "fault"),
    [
        ({"colour": clear(CANARY)}, "fields.colour", "is not among its fields"),
        ({"colour": sealed()}, "fields.colour", "is not among its fields"),
        ({"use_tls": clear(CANARY)}, "fields.use_tls", "must be one of true, false"),
        ({"secret_access_key": clear(CANARY)}, "fields.secret_access_key", "is secret and must be sealed"),
        ({"passphrase": clear(CANARY)}, "fields.passphrase", "is secret and must be sealed"),
        ({"root": clear(f"{CANARY}\x00")}, "fields.root", "holds a NUL"),
        ({"root": clear(CANARY * 5000)}, "fields.root", "more than 65536"),
        ({"od\nd" * 40: sealed()}, r"fields.'od\nd", "is not among its fields"),
    ],
)
def test_each_field_at_fault_is_named_and_no_value_is_quoted(
    changes: dict[str, FieldValue | None], field: str, fault: str
) -> None:
    fields = {name: value for name, value in {**COMPLETE, **changes}.items() if value is not None}
    with pytest.raises(Invalid) as refused:
        check_configuration(S3, fields)
    error = refused.value
    assert error.code == "configuration_invalid"
    assert [(f, fault in w) for f, w in error.fields.items() if f.startswith(field)] == [
        (next(iter(error.fields)), True)
    ]
    assert CANARY not in str(error)
    assert CANARY not in str(error.fields)
    assert "protocol s3 of a store" in error.detail


@pytest.mark.parametrize(
    ("rules", "value", "fault"),
    [
        (
            {"pattern": "^/", "description": "An absolute path."},
            "srv",
            "does not have the right form: An absolute path",
        ),
        ({"pattern": "^/", "x-hint": "start with /", "description": "no"}, "srv", "form: start with /"),
        ({"pattern": "^/"}, "srv", "does not have the right form"),
        ({"minLength": 8}, "srv", "must have at least 8 characters"),
        ({"maxLength": 2}, "srv", "must have at most 2 characters"),
        ({"const": "one"}, "srv", "must be one"),
        ({"type": "integer"}, "7", "does not have the right form"),
    ],
)
def test_rules_are_told_in_words(rules: dict[str, Any], value: str, fault: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_configuration(choice_of(properties={"root": {"type": "string", **rules}}), {"root": clear(value)})
    assert fault in refused.value.fields["fields.root"]


def test_rules_between_fields_are_kept() -> None:
    tied = choice_of(
        properties={"root": {}, "user": {}, "key": {}},
        dependentRequired={"user": ["key"]},
        not_={},
        **{"not": {"required": ["root", "key"]}},
    )
    missing = check_configuration(tied, {"root": clear("/a"), "user": clear("me")})
    assert [(f.field, f.detail) for f in missing] == [("fields.key", "is missing")]
    with pytest.raises(Invalid) as together:
        check_configuration(tied, {"root": clear("/a"), "key": sealed()})
    assert together.value.fields == {"fields": "break a rule that they have together"}


def test_all_faults_are_told_at_once_but_not_endlessly() -> None:
    with pytest.raises(Invalid) as refused:
        check_configuration(S3, {"use_tls": clear("maybe"), "x": sealed()})
    assert set(refused.value.fields) == {
        "fields.x", "fields.use_tls", "fields.root", "fields.access_key", "fields.secret_access_key",
    }  # fmt: skip
    with pytest.raises(Invalid) as flooded:
        check_configuration(S3, {f"x{n}": sealed() for n in range(1000)})
    assert len(flooded.value.fields) == 20


def test_a_source_may_have_a_passphrase_its_schema_does_not_know() -> None:
    bare = make.an_integration(protocols=[make.a_protocol("fs", schema=make.a_schema("root", root={}))])
    chosen = choose([bare], make.a_resource(), kind="source")
    check_configuration(chosen, {"root": clear("/srv"), "passphrase": sealed()})
