"""The secrets of the journeys are nowhere in clear: not in databases, Kafka, logs or traces."""

from pathlib import Path

from cairn_local.api import Api

from tests.e2e.conftest import CANARY, Directory, Platform
from tests.support.otlp import OtlpReceiver
from tests.support.s3 import S3Server


def _files_with(needle: bytes, root: Path) -> list[str]:
    return [str(p) for p in root.rglob("*") if p.is_file() and needle in p.read_bytes()]


def _back_up_bucket(api: Api, inventory: str, s3: S3Server) -> None:
    s3.fill({"report.txt": b"nothing secret"}, "documents")
    endpoints = [{"endpoint": s3.endpoint}]
    body = {
        "urn": "urn:s3",
        "name": "s3",
        "class": "object-storage",
        "subclass": "s3",
        "service": "",
        "endpoints": endpoints,
    }
    urn_id = api.create_resource(inventory, body)
    apps = []
    for kind, fields in (
        ("source", s3.fields("documents")),
        ("store", s3.fields("backups/x", passphrase=f"{CANARY}-s3")),
    ):
        apps.append(api.create_connector(kind, name=f"canary-{kind}", integration="s3", urn_id=urn_id, fields=fields))
        api.post(f"/connectors/{apps[-1]}/test")
    api.post(f"/connectors/{apps[1]}/stores/create")
    assert api.wait_for_run(api.start_backup(*apps))["status"] == "succeeded"


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
    _, source = directory("source", tree)
    _back_up_bucket(api, inventory, s3)
    _, store = directory("store", tmp_path / "store")
    api.post(f"/connectors/{store}/stores/create")
    api.wait_for_run(api.start_backup(source, store))
    echoed = api.get(f"/connectors/{store}")["fields"]["passphrase"]["value"]
    assert echoed == f"{CANARY}-passphrase"

    platform.cairn("down")
    try:
        assert any((platform.home / "logs").iterdir())
        for secret in (CANARY, s3.secret_key, s3.access_key):
            assert _files_with(secret.encode(), platform.home) == []
            assert secret.encode() not in otlp.raw()
    finally:
        platform.cairn("up")
    assert [p["snapshot_id"] for p in platform.api().snapshots(store)]
