"""The secrets of the journeys are nowhere in clear: not in databases, Kafka, logs or traces."""

from pathlib import Path

from cairn_local.api_client import Api

from tests.e2e.conftest import CANARY, Directory, Platform
from tests.e2e.kept import documents, files_with
from tests.support.bodies import a_bucket_body
from tests.support.otlp import OtlpReceiver
from tests.support.s3 import S3Server
from tests.support.waiting import eventually

PLACES = ("data/postgres", "data/kafka", "logs")


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
    kept = documents(platform)
    assert all(word in kept for word in (*known, account.encode(), b"letter.txt"))
    eventually(lambda: all(word in otlp.raw() for word in known), deadline_seconds=30)

    platform.cairn("down")
    try:
        for place in PLACES:
            assert all(files_with(word, platform.home / place) for word in known), place
        for secret in (CANARY, s3.secret_key, s3.access_key):
            assert files_with(secret.encode(), platform.home) == []
            assert secret.encode() not in kept
            assert secret.encode() not in otlp.raw()
    finally:
        platform.cairn("up")
    assert [p["snapshot_id"] for p in platform.api().snapshots(store)]
