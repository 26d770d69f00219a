"""The secrets of the journeys are nowhere in clear: not in databases, Kafka, logs or traces."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zstandard
from cairn_local.api_client import Api
from cairn_local.platform import load_addresses
from pymongo import MongoClient

from tests.e2e.conftest import CANARY, Directory, Platform
from tests.support.bodies import a_bucket_body
from tests.support.otlp import OtlpReceiver
from tests.support.s3 import S3Server
from tests.support.waiting import eventually

ZSTD = b"\x28\xb5\x2f\xfd"
PLACES = ("data/postgres", "data/kafka", "logs")


def _files_with(needle: bytes, root: Path) -> list[str]:
    return [str(p) for p in root.rglob("*") if p.is_file() and needle in p.read_bytes()]


def _documents(platform: Platform) -> bytes:
    """All documents of all databases, unpacked: in its files PostgreSQL compresses the long ones."""
    with MongoClient[dict[str, Any]](load_addresses(platform.state).mongodb_uri) as client:
        databases = [client[name] for name in client.list_database_names()]
        found = [
            d for database in databases for name in database.list_collection_names() for d in database[name].find()
        ]
    return b"\n".join(part for document in found for part in _parts(document))


def _parts(value: Any) -> Iterator[bytes]:
    if isinstance(value, dict | list):
        for item in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from _parts(item)
    elif isinstance(value, bytes):
        yield zstandard.decompress(value, max_output_size=1 << 28) if value.startswith(ZSTD) else value
    else:
        yield str(value).encode()


def _back_up_bucket(api: Api, inventory: str, s3: S3Server) -> str:
    s3.fill({"report.txt": b"nothing secret"}, "documents")
    urn_id = api.create_resource(inventory, a_bucket_body(endpoint=s3.endpoint))
    apps = {}
    for kind, fields in (
        ("source", s3.fields("documents")),
        ("store", s3.fields("backups/x", passphrase=f"{CANARY}-s3")),
    ):
        apps[kind] = api.create_connector(kind, name=f"secrets-{kind}", integration="s3", urn_id=urn_id, fields=fields)
        api.post(f"/connectors/{apps[kind]}/test")
    api.post(f"/connectors/{apps['store']}/stores/create")
    assert api.wait_for_run(api.start_backup(apps["source"], apps["store"]))["status"] == "succeeded"
    return apps["store"]


def _back_up_directory(api: Api, directory: Directory, tree: Path, store_path: Path) -> str:
    _, source = directory("source", tree)
    _, store = directory("store", store_path)
    api.post(f"/connectors/{store}/stores/create")
    assert api.wait_for_run(api.start_backup(source, store))["status"] == "succeeded"
    echoed = api.get(f"/connectors/{store}")["fields"]["passphrase"]["value"]
    assert echoed == f"{CANARY}-passphrase"
    return store


def _keep_account(api: Api) -> str:
    """A managed inventory, whose credentials nobody has to take for right."""
    keys = {"access_key": {"value": f"{CANARY}-id"}, "secret_access_key": {"value": f"{CANARY}-key"}}
    block = {"credentials_type": "access_key", "region": "eu-west-1", **keys}
    path = f"/account/organizations/{api.organization_id}/inventories"
    made = api.post(path, {"name": "account", "type": "aws", "aws_configuration": block})
    assert api.get(f"/inventories/{made['id']}")["aws_configuration"] == block
    assert api.get(f"/inventories/{made['id']}/sync")["ok"] is False
    return str(made["id"])


def test_canaries_are_nowhere(
    platform: Platform,
    api: Api,
    otlp: OtlpReceiver,
    directory: Directory,
    inventory: str,
    s3: S3Server,
    tree: Path,
    tmp_path: Path,
) -> None:
    bucket = _back_up_bucket(api, inventory, s3)
    store = _back_up_directory(api, directory, tree, tmp_path / "store")
    account = _keep_account(api)
    # What is no secret must be found by the same search, or the search proves nothing.
    known = [bucket.encode(), store.encode()]
    documents = _documents(platform)
    assert all(word in documents for word in (*known, account.encode(), b"letter.txt"))
    eventually(lambda: all(word in otlp.raw() for word in known), deadline_seconds=30)

    platform.cairn("down")
    try:
        for place in PLACES:
            assert all(_files_with(word, platform.home / place) for word in known), place
        for secret in (CANARY, s3.secret_key, s3.access_key):
            assert _files_with(secret.encode(), platform.home) == []
            assert secret.encode() not in documents
            assert secret.encode() not in otlp.raw()
    finally:
        platform.cairn("up")
    assert [p["snapshot_id"] for p in platform.api().snapshots(store)]
