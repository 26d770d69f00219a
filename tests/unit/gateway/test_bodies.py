"""What clients send: lenient where they differ, strict where a mistake would be kept."""

from typing import Annotated, Any, get_args

import pytest
from contracts.hooks import Hooks
from contracts.task_types.backup import ExecOptions
from contracts.task_types.base import TaskType
from contracts.tasks import TASK_KINDS
from gateway.areas.auth.schemas import BadgeExchange
from gateway.areas.connectors.preconditions import GivenField
from gateway.areas.connectors.schemas.requests import ConnectorBody, ConnectorRoles, StoreCreation, StoreRefresh
from gateway.areas.integrations.schemas import Installation
from gateway.areas.inventories.schemas import InventoryBody
from gateway.areas.links.schemas import LinkBody
from gateway.areas.protection.schemas import SnapshotPatch
from gateway.areas.protection.service import Hold
from gateway.areas.resources.schemas import ResourceBody
from gateway.areas.scheduling.schemas.requests import RetryBody, RunBody
from gateway.http.body_fields import Body
from jsonschema import Draft202012Validator
from pydantic import Field, TypeAdapter, ValidationError

CONNECTOR = {"name": "nas", "type": "source", "urn_id": "r-1"}
RESOURCE = {"urn": "urn:1", "name": "nas", "class": "file-storage"}


def places(error: ValidationError) -> list[str]:
    return [".".join(map(str, e["loc"])) for e in error.errors()]


def test_null_lists_and_texts_are_empty_ones() -> None:
    nothing = dict.fromkeys(
        ("protocol", "integration", "fields", "endpoints", "data_classes", "environment", "temperature", "resource")
    )
    assert (
        ConnectorBody.model_validate(CONNECTOR | nothing).request() == ConnectorBody.model_validate(CONNECTOR).request()
    )
    nothing = dict.fromkeys(("subclass", "service", "endpoints", "tags", "excluded_from_coverage"))
    bare = ResourceBody.model_validate(RESOURCE)
    assert ResourceBody.model_validate(RESOURCE | nothing).description() == bare.description()


def test_empty_texts_choose_nothing() -> None:
    asked = ConnectorBody.model_validate(
        CONNECTOR | {"protocol": "", "integration": {"id": ""}, "temperature": ""}
    ).request()
    assert (asked.protocol, asked.integration_id, asked.temperature) == (None, None, None)


def test_unknown_keys_are_ignored() -> None:
    body = RESOURCE | {"locked": True, "urn_id": "x", "endpoints": [{"endpoint": "a", "kind": "host", "more": 1}]}
    assert ResourceBody.model_validate(body).description().endpoints == ("a",)
    assert InventoryBody.model_validate({"name": "n", "type": "aws", "aws_configuration": {"x": {}}}).type == "aws"


def test_lists_keep_their_order() -> None:
    body = CONNECTOR | {"data_classes": ["z", "a", "m"], "endpoints": [{"endpoint": "2"}, {"endpoint": "1"}]}
    asked = ConnectorBody.model_validate(body).request()
    assert (asked.data_classes, asked.endpoints) == (("z", "a", "m"), ("2", "1"))


def test_fields_are_literal_or_refer_to_a_provider() -> None:
    fields = {
        "root": {"value": "/srv"},
        "port": {"value": "9000", "provider": None},
        "literal": {"value": "x", "provider": {"id": ""}},
        "secret": {"value": "kv/backup", "provider": {"id": "p-1"}},
        "named": {"provider": {"id": "p-2"}},
        "unset": {"value": None},
        "absent": None,
    }
    asked = ConnectorBody.model_validate(CONNECTOR | {"fields": fields}).request()
    assert asked.fields == {
        "root": GivenField("/srv"),
        "port": GivenField("9000"),
        "literal": GivenField("x"),
        "secret": GivenField("kv/backup", "p-1"),
        "named": GivenField("", "p-2"),
    }


@pytest.mark.parametrize("value", [9000, True, 1.5, ["x"], {"a": "b"}])
def test_field_values_must_be_strings(value: Any) -> None:
    with pytest.raises(ValidationError, match="must be a string") as raised:
        ConnectorBody.model_validate(CONNECTOR | {"fields": {"port": {"value": value}}})
    assert places(raised.value) == ["fields.port.value"]


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"type": "teapot"}, "type"),
        ({"temperature": "tepid"}, "temperature"),
        ({"name": None}, "name"),
        ({"fields": {"root": "/srv"}}, "fields.root"),
        ({"endpoints": ["a"]}, "endpoints.0"),
        ({"data_classes": "pii"}, "data_classes"),
        ({"hooks": {"on_failure": "ignore"}}, "hooks.on_failure"),
        ({"hooks": {"timeout_seconds": "30"}}, "hooks.timeout_seconds"),
        ({"hooks": {"timeout_seconds": 0}}, "hooks.timeout_seconds"),
        ({"hooks": ["freeze"]}, "hooks"),
        ({"hooks": {"pre_job": "a\x00"}}, ""),
        ({"fields": {f"f{n}": {"value": ""} for n in range(201)}}, "fields"),
    ],
)
def test_wrong_connectors_name_the_place(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(ValidationError) as raised:
        ConnectorBody.model_validate(CONNECTOR | changes)
    assert places(raised.value) == [place]


def test_connector_needs_a_resource_in_either_place() -> None:
    body = {"name": "nas", "type": "source"}
    assert ConnectorBody.model_validate(body | {"resource": {"urn_id": "r-2"}}).request().urn_id == "r-2"
    assert ConnectorBody.model_validate(CONNECTOR | {"resource": {"urn_id": "r-2"}}).request().urn_id == "r-1"
    for missing in ({}, {"urn_id": ""}, {"resource": None}, {"resource": {}}):
        with pytest.raises(ValidationError, match="urn_id is missing"):
            ConnectorBody.model_validate(body | missing)


@pytest.mark.parametrize("task_type", get_args(TaskType))
def test_a_run_takes_the_types_that_can_be_run(task_type: TaskType) -> None:
    body = {"type": task_type, "origin_id": "a"}
    if task_type in TASK_KINDS:
        assert RunBody.model_validate(body).request().type == task_type
    else:
        with pytest.raises(ValidationError, match="'backup', 'restore', 'check' or 'sync'"):
            RunBody.model_validate(body)


def test_run_options_may_be_left_out_or_null() -> None:
    body = {"type": "backup", "origin_id": "a"}
    plain = RunBody.model_validate(body).request()
    nothing = {"target_id": None, "config": None, "edge_tags": None}
    assert RunBody.model_validate(body | nothing).request() == plain
    empty = {"target_id": "", "config": {"labels": None, "ignores": [], "snapshot_id": ""}}
    assert RunBody.model_validate(body | empty).request() == plain
    asked = RunBody.model_validate(body | {"config": {"labels": ["b", "a"], "ignores": ["*.o"], "x": 1}}).request()
    assert (asked.options.labels, asked.options.ignores) == (("b", "a"), ("*.o",))
    assert (asked.options.allow_empty, asked.options.one_file_system) == (False, False)
    asked = RunBody.model_validate(body | {"config": {"allow_empty": True, "one_file_system": None}}).request()
    assert (asked.options.allow_empty, asked.options.one_file_system) == (True, False)


@pytest.mark.parametrize("name", ["run_at", "schedule", "edge_id", "config.format"])
def test_what_a_run_cannot_be_told_yet_is_refused_in_words_and_not_ignored(name: str) -> None:
    """Without that a task that should wait would run now."""
    body = {"type": "restore", "origin_id": "a"}

    def saying(value: object) -> dict[str, Any]:
        return body | ({"config": {"format": value}} if name == "config.format" else {name: value})

    for value in ("2027-01-01T00:00:00Z", {"enabled": False}, 0, False):
        with pytest.raises(ValidationError, match="is not taken yet: ") as raised:
            RunBody.model_validate(saying(value))
        assert places(raised.value) == [name]
    plain = RunBody.model_validate(body).request()
    assert [RunBody.model_validate(saying(value)).request() for value in (None, "")] == [plain, plain]


def test_options_with_parts_are_taken() -> None:
    config = {"exec": {"concurrency": 4, "cpu": None}, "hooks": {"pre_job": "freeze", "post_job": None}}
    options = RunBody.model_validate({"type": "backup", "origin_id": "a", "config": config}).request().options
    assert options.exec == ExecOptions(concurrency=4)
    assert options.hooks == Hooks(pre_job="freeze")
    given = ConnectorBody.model_validate(CONNECTOR | {"hooks": {"post_job": "thaw"}}).request().hooks
    assert given == Hooks(post_job="thaw")


def test_a_number_without_a_fraction_is_an_integer_and_null_is_the_default() -> None:
    parts = {"exec": {"concurrency": 4.0, "cpu": 2.0}, "hooks": {"timeout_seconds": 30.0, "on_failure": None}}
    asked = RunBody.model_validate({"type": "backup", "origin_id": "a", "config": parts | {"read_shares": 4.0}})
    options = asked.request().options
    assert (options.exec, options.read_shares) == (ExecOptions(concurrency=4, cpu=2), 4)
    assert options.hooks == Hooks(timeout_seconds=30)
    given = ConnectorBody.model_validate(CONNECTOR | {"hooks": {"timeout_seconds": None}}).request().hooks
    assert given == Hooks()
    for odd in (1.5, "4", True):
        with pytest.raises(ValidationError):
            ExecOptions.model_validate({"concurrency": odd})


@pytest.mark.parametrize(
    ("body", "level"),
    [({}, None), ({"compression": None}, None), ({"compression": ""}, None), ({"compression": "LZ4"}, "fastest")],
)
def test_compression_is_optional(body: dict[str, Any], level: str | None) -> None:
    assert StoreCreation.model_validate(body).level() == level


def test_unknown_compression_is_refused() -> None:
    with pytest.raises(ValidationError):
        StoreCreation.model_validate({"compression": "RAR"})


def test_what_a_patch_does_not_name_stays_and_null_clears_it() -> None:
    named = {"legal_hold": True, "reason": "Case", "until": "2027-11-28T00:00:00Z"}
    given = [SnapshotPatch.model_validate(sent).hold for sent in (named, {"legal_hold": True}, named | {"until": None})]
    assert [hold.keeps for hold in given if hold] == [(), ("reason", "until"), ()]
    assert given[2] == Hold("Case", None)
    assert SnapshotPatch.model_validate({"legal_hold": False}).hold is None


def test_why_a_hold_is_lifted_is_audited() -> None:
    assert SnapshotPatch.model_validate({"legal_hold": False, "reason": "Closed"}).summary() == {"reason": "Closed"}
    assert SnapshotPatch.model_validate({"legal_hold": False}).summary() == {}


def test_a_retry_has_the_task_that_it_retries() -> None:
    assert RetryBody.model_validate({"priority": 80.0, "note": "x", "config": {}, "target_id": None}).priority == 80
    for other in ({"config": {"labels": ["b"]}}, {"origin_id": "b"}, {"edge_tags": ["x"]}):
        with pytest.raises(ValidationError, match="runs the task as it was"):
            RetryBody.model_validate(other)


WRONG: list[tuple[type[Body], dict[str, Any], str]] = [
    (RunBody, {"type": "check", "origin_id": ""}, "origin_id"),
    (RunBody, {"type": "backup", "origin_id": "", "target_id": "t"}, "origin_id"),
    (RunBody, {"type": "backup", "origin_id": "x" * 201}, "origin_id"),
    (RunBody, {"type": "backup", "origin_id": "a", "target_id": False}, "target_id"),
    (RunBody, {"type": "backup", "origin_id": "a", "config": {"snapshot_id": 0}}, "config.snapshot_id"),
    (RunBody, {"type": "backup", "origin_id": "a", "config": {"exec": {"cpu": 0}}}, "config.exec.cpu"),
    (RunBody, {"type": "backup", "origin_id": "a", "config": {"exec": {"concurrency": 65}}}, "config.exec.concurrency"),
    (RunBody, {"type": "backup", "origin_id": "a", "config": {"hooks": {"pre_job": 1}}}, "config.hooks.pre_job"),
    (ConnectorBody, CONNECTOR | {"temperature": []}, "temperature"),
    (RetryBody, {"priority": 101}, "priority"),
    (RetryBody, {"run_at": "2027-01-01T00:00:00Z"}, "run_at"),
    (RetryBody, {"priority": "80"}, "priority"),
    (BadgeExchange, {"organization_id": ""}, "organization_id"),
    (ConnectorRoles, {"can_read": "self:a"}, "can_read"),
    (ConnectorRoles, {"can_own": {"self:a": 1}}, "can_own"),
    (ConnectorRoles, {"can_own": ["a"]}, "can_own.0"),
    (ConnectorRoles, {"can_own": ["self:"]}, "can_own.0"),
    (ConnectorBody, CONNECTOR | {"fields": {"key": {"value": "x", "masked": True}}}, "fields.key"),
    (ConnectorBody, CONNECTOR | {"fields": {"key": {"provider": {"id": "p"}, "masked": True}}}, "fields.key"),
    (ConnectorBody, CONNECTOR | {"fields": {"key": {"masked": "true"}}}, "fields.key.masked"),
    (Installation, {"name": ""}, "name"),
    (Installation, {"name": "fs", "version": 1}, "version"),
    (StoreRefresh, {"rebuild": 1}, "rebuild"),
    (StoreRefresh, {"rebuild": "true"}, "rebuild"),
    (ResourceBody, RESOURCE | {"excluded_from_coverage": "yes"}, "excluded_from_coverage"),
    (LinkBody, {"paths": ["/"], "expires_in": "3600"}, "expires_in"),
    (LinkBody, {"paths": ["/"], "expires_in": True}, "expires_in"),
]


@pytest.mark.parametrize(("body", "sent", "place"), WRONG)
def test_what_is_empty_or_of_another_type_is_refused(body: type[Body], sent: dict[str, Any], place: str) -> None:
    with pytest.raises(ValidationError) as raised:
        body.model_validate(sent)
    assert places(raised.value) == [place]


@pytest.mark.parametrize("body", Body.__subclasses__())
def test_the_schema_of_a_body_takes_what_the_body_takes(body: type[Body]) -> None:
    """Null and the empty text, wherever they are accepted, are in the document, and nowhere else.

    But for texts whose form is judged by the service that owns them; the document tells its rule.
    """
    schema, fields = body.model_json_schema(), body.model_fields
    for name, field in fields.items():
        alias = field.alias or name
        validator = Draft202012Validator({**schema["properties"][alias], "$defs": schema.get("$defs", {})})
        for odd in (None, "", 0, False, [], {}, 1.5):
            try:
                TypeAdapter(Annotated[field.annotation, Field(), *field.metadata]).validate_python(odd)
                taken = True
            except ValidationError:
                taken = False
            judged_elsewhere = odd == "" and "pattern" in schema["properties"][alias]
            assert taken == validator.is_valid(odd) or judged_elsewhere, (name, odd)


def test_a_password_that_looks_like_a_mask_is_a_password() -> None:
    for looks in ("masked", "***", "true", '{"masked": true}'):
        asked = ConnectorBody.model_validate(
            CONNECTOR | {"fields": {"key": {"value": looks, "masked": False}}}
        ).request()
        assert asked.fields["key"] == GivenField(looks)
