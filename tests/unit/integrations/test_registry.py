"""Manifests, as assignment and the console use them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from connector.programs import open_program
from contracts.messages.connector.connection_tests import TestReport
from contracts.messages.connector.offers import Integration
from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.environment import WorkerEnvironment
from integrations.sdk.errors import PortMissing, ProtocolUnknown
from integrations.sdk.registry import Integrations
from jsonschema import Draft202012Validator

INTEGRATIONS = Integrations(
    WorkerEnvironment(open_program=open_program, rclone="rclone", work_dir=Path("/nonexistent"))
)
S3 = {"root": "bucket", "access_key": "key", "secret_access_key": "word"}
SWITCHES = ("use_tls", "tls_insecure_no_verify", "virtual_host")


def schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    for manifest in INTEGRATIONS.manifests():
        for protocol in manifest.protocols:
            for kind in protocol.kinds:
                yield f"{protocol.name}-{kind}", protocol.schemas[kind]


def accepts(name: str, fields: dict[str, str]) -> bool:
    return Draft202012Validator(dict(schemas())[name]).is_valid(fields)


@pytest.mark.parametrize("schema", [schema for _, schema in schemas()], ids=[name for name, _ in schemas()])
def test_every_schema_is_sound(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) <= set(schema["properties"])
    for field in schema["properties"].values():
        assert field["type"] == "string"
        assert field["title"]
        assert field["description"]


def test_secrets_are_marked() -> None:
    marked = {
        name: {field for field, schema in found["properties"].items() if schema.get("x-secret")}
        for name, found in schemas()
    }

    assert marked["fs-store"] == {"passphrase"}
    assert marked["s3-source"] == {"passphrase", "access_key", "secret_access_key"}


def test_roots_that_are_paths_are_marked_and_prefixes_of_buckets_are_not() -> None:
    assert {name for name, found in schemas() if found["properties"]["root"].get("x-path")} == {
        "fs-source",
        "fs-store",
        "fs-destination",
    }


@pytest.mark.parametrize("kind", ["source", "store", "destination"])
@pytest.mark.parametrize(
    ("protocol", "fields", "accepted"),
    [
        ("fs", {"root": "/srv"}, True),
        ("fs", {"root": "/srv", "passphrase": "word"}, True),
        ("fs", {"root": "srv"}, False),
        ("fs", {"root": ""}, False),
        ("fs", {}, False),
        ("fs", {"root": "/srv", "port": "1"}, False),
        ("s3", S3, True),
        ("s3", {**S3, "root": "/bucket/a/b", "port": "9000", "region": "fr-par", "storage_class": "STANDARD"}, True),
        ("s3", {**S3, "port": "", "use_tls": "", "storage_class": ""}, True),
        ("s3", {**S3, **dict.fromkeys(SWITCHES, "true")}, True),
        ("s3", {**S3, **dict.fromkeys(SWITCHES, "False")}, True),
        ("s3", {**S3, "use_tls": "yes"}, False),
        ("s3", {**S3, "port": "ninethousand"}, False),
        ("s3", {**S3, "host": "example.org"}, False),
        ("s3", {**S3, "root": "b"}, False),
        ("s3", {**S3, "root": "bucket/.../ü a?b/..c/"}, True),
        ("s3", {**S3, "root": "bucket/a//b"}, False),
        ("s3", {**S3, "root": "bucket/a/../b"}, False),
        ("s3", {**S3, "root": "bucket/."}, False),
        ("s3", {**S3, "root": "bucket/a\nb"}, False),
        ("s3", {"root": "bucket"}, False),
    ],
)
def test_fields_are_checked(kind: str, protocol: str, fields: dict[str, str], *, accepted: bool) -> None:
    assert accepts(f"{protocol}-{kind}", fields) is accepted


def test_identities_are_fixed() -> None:
    assert {(manifest.name, manifest.id) for manifest in INTEGRATIONS.manifests()} == {
        ("fs", "0b9a4f1e-6c1d-5a53-9d0a-3f1f6f3f0001"),
        ("s3", "0b9a4f1e-6c1d-5a53-9d0a-3f1f6f3f0002"),
    }


def test_classes_lead_to_integrations() -> None:
    matches = {(m.class_, m.subclass): manifest.name for manifest in INTEGRATIONS.manifests() for m in manifest.matches}

    assert matches[("file-storage", "posix")] == "fs"
    assert matches[("object-storage", "s3")] == "s3"


def test_manifests_survive_the_wire() -> None:
    for manifest in INTEGRATIONS.manifests():
        assert Integration.model_validate_json(manifest.model_dump_json(by_alias=True)) == manifest


def test_protocols_lead_to_their_integration() -> None:
    assert INTEGRATIONS.connection_test("s3").manifest.name == "s3"
    with pytest.raises(ProtocolUnknown):
        INTEGRATIONS.connection_test("gopher")


def test_a_port_that_an_integration_lacks_is_named() -> None:
    class OnlyTests:
        manifest = INTEGRATIONS.manifests()[0]

        async def test(self, configuration: AppConfiguration) -> TestReport:
            raise NotImplementedError

    made = Integrations(
        WorkerEnvironment(open_program=open_program, rclone="", work_dir=Path("/")), [lambda _: OnlyTests()]
    )

    with pytest.raises(PortMissing, match="'fs' for a store"):
        made.store("fs")
    with pytest.raises(PortMissing, match="'fs' for a source"):
        made.file_source("fs")
