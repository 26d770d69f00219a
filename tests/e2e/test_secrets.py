"""The secrets of the journeys are nowhere in clear: not in databases, Kafka, logs, traces, answers or command lines."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from cairn_local.api_client import Api, ApiProblem

from tests.e2e.conftest import CANARY, Directory, Platform
from tests.e2e.kept import documents, files_with
from tests.e2e.wizard_steps import Steps, accepted, values
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


def _refused(api: Api, path: str, body: dict[str, Any]) -> str:
    with pytest.raises(ApiProblem) as refused:
        api.post(path, body)
    return str(refused.value.body)


def _try_connections(api: Api, inventory: str, s3: S3Server) -> list[str]:
    """Forms, dry runs, connection tests and refusals with secrets of people and of bundles; what was answered."""
    steps, bundles = Steps(api), f"/bundles/inventories/{inventory}"
    urn_id = api.create_resource(inventory, a_bucket_body("urn:tried", endpoint=s3.endpoint, tags=["bucket=documents"]))
    keys = values(access_key=s3.access_key, secret_access_key=s3.secret_key, use_tls="false")
    api.post(bundles, {"name": "keys", "fields": keys | values(passphrase=f"{CANARY}-bundle")})
    form = steps.form(api.integration_id("s3"), "source", urn_id)
    assert form["complete"], form["faults"]
    filled = steps.dry_run(accepted(form, urn_id))
    assert filled["test"]["ok"], filled

    wrong = {"access_key": f"{CANARY}-wrong-id", "secret_access_key": f"{CANARY}-wrong-key"}
    failed = steps.dry_run(accepted(form, urn_id, **wrong))
    assert not failed["test"]["ok"]
    source = steps.save(accepted(form, urn_id, **wrong))["id"]
    tests = [api.post(f"/connectors/{source}/test"), steps.tested(source, ok=False)]
    changed = steps.dry_run(accepted(form, urn_id, secret_access_key=f"{CANARY}-other") | {"id": source})

    odd = accepted(form, urn_id, **wrong, colour=f"{CANARY}-colour", use_tls="maybe")
    faulty = steps.dry_run(odd)
    assert {each["field"] for each in faulty["faults"]} == {"fields.colour", "fields.use_tls"}
    refusals = [
        _refused(api, api.organization("/connectors"), odd),
        _refused(api, bundles, {"name": "tie", "fields": values(secret_access_key=f"{CANARY}-tie")}),
        _refused(api, bundles, {"name": "", "fields": values(secret_access_key=f"{CANARY}-nameless")}),
    ]
    return [
        *map(str, (form, filled, failed, *tests, changed, faulty, api.get(f"/connectors/{source}/tests"))),
        *refusals,
    ]


@contextmanager
def _command_lines() -> Iterator[set[bytes]]:
    """The command lines of all processes of this machine, read again and again until the end of the block."""
    seen, ended = set[bytes](), threading.Event()

    def look() -> None:
        while not ended.is_set():
            for process in Path("/proc").glob("[0-9]*/cmdline"):
                # It may have ended meanwhile.
                with suppress(OSError):
                    seen.add(process.read_bytes())
            ended.wait(0.05)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield seen
    finally:
        ended.set()
        looking.join()


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
    secrets = (CANARY, s3.secret_key, s3.access_key)
    with _command_lines() as command_lines:
        bucket = _back_up_bucket(api, inventory, s3)
        store = _back_up_directory(api, directory, tree, tmp_path / "store")
        account = _keep_account(api)
        answers = _try_connections(api, inventory, s3)
    assert any(b"restic" in line and b"backup" in line for line in command_lines)
    for secret in secrets:
        assert not [answer for answer in answers if secret in answer]
        assert not [line for line in command_lines if secret.encode() in line]
    # What is no secret must be found by the same search, or the search proves nothing.
    known = [bucket.encode(), store.encode()]
    kept = documents(platform)
    assert all(word in kept for word in (*known, account.encode(), b"letter.txt"))
    eventually(lambda: all(word in otlp.raw() for word in known), deadline_seconds=30)

    platform.cairn("down")
    try:
        for place in PLACES:
            assert all(files_with(word, platform.home / place) for word in known), place
        for secret in secrets:
            assert files_with(secret.encode(), platform.home) == []
            assert secret.encode() not in kept
            assert secret.encode() not in otlp.raw()
    finally:
        platform.cairn("up")
    assert [p["snapshot_id"] for p in platform.api().snapshots(store)]
