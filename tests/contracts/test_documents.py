"""The published documents are those of the code, and a breaking change cannot be published by accident."""

import json
from pathlib import Path
from typing import Any

import pytest
from contracts.asyncapi import HEADERS
from contracts.documents import HOME, broken, documents, stale, write
from contracts.envelope import to_headers
from contracts.messages.base import Command, Message
from contracts.registry import MESSAGES
from jsonschema import Draft202012Validator, validate

from tests.contracts.test_golden import read

WANTED = documents()


def test_the_stored_documents_are_up_to_date() -> None:
    assert stale(HOME, WANTED) == []
    assert broken(HOME, WANTED) == []


def test_documents_are_the_same_each_time() -> None:
    assert documents(dict(reversed(list(MESSAGES.items())))) == WANTED


def test_stale_missing_and_left_over_documents_are_named_and_written(tmp_path: Path) -> None:
    write(tmp_path, WANTED)
    assert stale(tmp_path, WANTED) == []
    (tmp_path / "asyncapi.json").write_text("{}")
    (tmp_path / "schemas" / "cairn.catalog.inventory.create.v1.json").unlink()
    (tmp_path / "schemas" / "cairn.gone.v1.json").write_text("{}")
    named = ["asyncapi.json", "schemas/cairn.catalog.inventory.create.v1.json", "schemas/cairn.gone.v1.json"]
    assert stale(tmp_path, WANTED) == named
    assert write(tmp_path, WANTED) == named
    assert stale(tmp_path, WANTED) == []


def test_a_breaking_change_of_a_stored_schema_is_told(tmp_path: Path) -> None:
    write(tmp_path, WANTED)
    path = tmp_path / "schemas" / "cairn.scheduler.job.changed.v1.json"
    schema = json.loads(path.read_text())
    schema["properties"]["gone"] = {"type": "string"}
    path.write_text(json.dumps(schema))
    assert broken(tmp_path, WANTED) == ["cairn.scheduler.job.changed.v1: gone: removed"]
    (tmp_path / "schemas" / "cairn.gone.v1.json").write_text("{}")
    assert "cairn.gone.v1: type removed" in broken(tmp_path, WANTED)


@pytest.mark.parametrize("type_", sorted(MESSAGES))
def test_every_schema_is_one(type_: str) -> None:
    Draft202012Validator.check_schema(json.loads(WANTED[f"schemas/{type_}.json"]))


@pytest.fixture(scope="module")
def asyncapi() -> dict[str, Any]:
    return dict(json.loads(WANTED["asyncapi.json"]))


def test_all_references_lead_somewhere(asyncapi: dict[str, Any]) -> None:
    def references(part: Any) -> list[str]:
        if isinstance(part, list):
            return [r for p in part for r in references(p)]
        if not isinstance(part, dict):
            return []
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [r for p in part.values() for r in references(p)]

    def found(reference: str) -> bool:
        if reference.startswith("./"):
            return reference.removeprefix("./") in WANTED
        part: Any = asyncapi
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]
        return bool(part)

    assert all(found(reference) for reference in references(asyncapi))


def test_every_message_is_sent_or_handled_on_its_channel(asyncapi: dict[str, Any]) -> None:
    for type_, message in MESSAGES.items():
        assert type_ in asyncapi["channels"][message.TOPIC]["messages"]
        command = issubclass(message, Command)
        operation = asyncapi["operations"][f"{'handle' if command else 'announce'}:{type_}"]
        assert operation["action"] == ("receive" if command else "send")
        assert ("reply" in operation) == command


@pytest.mark.parametrize("type_", sorted(MESSAGES))
def test_real_headers_are_those_declared(asyncapi: dict[str, Any], type_: str) -> None:
    schema = asyncapi["components"]["schemas"][HEADERS]
    headers = {name: value.decode() for name, value in to_headers(read(type_))}
    validate(headers, schema)
    assert headers.keys() <= schema["properties"].keys()


@pytest.mark.parametrize("message", MESSAGES.values(), ids=lambda m: m.__name__)
def test_messages_are_named_keyed_and_described(message: type[Message]) -> None:
    assert message.TYPE.startswith("cairn.")
    assert message.TYPE.rsplit(".", 1)[1].removeprefix("v").isdigit()
    assert message.KEY in message.model_fields
    assert message.__doc__
    assert message.model_config["frozen"]
    schema = json.loads(WANTED[f"schemas/{message.TYPE}.json"])
    parts = [schema, *schema.get("$defs", {}).values()]
    bare = [name for part in parts for name, field in part.get("properties", {}).items() if "description" not in field]
    assert bare == []
