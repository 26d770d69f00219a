"""What cannot be right is answered in words: 4xx with a code, or a job that failed with its reason."""

import json
from pathlib import Path
from typing import Any

import pytest
from cairn_local.api_client import Api, ApiProblem

from tests.e2e.conftest import Directory
from tests.support.bodies import a_bucket_body, a_resource_body
from tests.support.s3 import S3Server
from tests.support.waiting import eventually
from tests.support.words import INSIDE


def problem_of(api: Api, method: str, path: str, **parts: Any) -> ApiProblem:
    with pytest.raises(ApiProblem) as raised:
        api.call(method, path, **parts)
    problem = raised.value
    assert 400 <= problem.status < 500, problem
    assert problem.code
    assert problem.body["detail"]
    assert problem.body["status"] == problem.status
    assert "Traceback" not in json.dumps(problem.body)
    assert not INSIDE.search(problem.body["detail"]), problem.body
    return problem


def connector_body(api: Api, urn_id: str, **changes: Any) -> dict[str, Any]:
    body = {
        "name": "bad", "type": "source", "protocol": "fs", "integration": {"id": api.integration_id("fs")},
        "urn_id": urn_id, "fields": {"root": {"value": "/srv"}},
    }  # fmt: skip
    return {**body, **changes}


@pytest.fixture
def urn_id(api: Api, inventory: str) -> str:
    return api.create_resource(inventory, a_resource_body("urn:bad"))


def test_configuration_faults_name_the_field(api: Api, urn_id: str) -> None:
    path = api.organization("/connectors")
    lacking = api.post(path, connector_body(api, urn_id, fields={}))
    assert (lacking["complete"], [f["field"] for f in lacking["faults"]]) == (False, ["fields.root"])
    refused = problem_of(api, "POST", f"/connectors/{lacking['id']}/test")
    assert (refused.status, refused.body["fields"]) == (409, lacking["faults"])
    extra = problem_of(
        api,
        "POST",
        path,
        json=connector_body(api, urn_id, fields={"root": {"value": "/srv"}, "colour": {"value": "s3cret"}}),
    )
    assert "colour" in json.dumps(extra.body)
    assert "s3cret" not in json.dumps(extra.body)
    relative = problem_of(api, "POST", path, json=connector_body(api, urn_id, fields={"root": {"value": "srv"}}))
    assert "root" in json.dumps(relative.body)


def test_incompatible_or_unknown_integration(api: Api, inventory: str, urn_id: str) -> None:
    path = api.organization("/connectors")
    unknown = api.create_resource(inventory, a_resource_body("urn:odd", **{"class": "teapot", "subclass": "brown"}))
    s3 = {"integration": {"id": api.integration_id("s3")}, "protocol": "s3"}
    for body, code in (
        (connector_body(api, urn_id, **s3), "integration_incompatible"),
        (connector_body(api, urn_id, integration={"id": "nobody"}), "integration_not_found"),
        (connector_body(api, urn_id, protocol="ftp"), "protocol_not_found"),
        (connector_body(api, unknown), "integration_incompatible"),
    ):
        assert problem_of(api, "POST", path, json=body).code == code


@pytest.mark.parametrize(
    "path",
    [
        "/inventories/nothing", "/inventories/nothing/resources/nothing", "/connectors/nothing",
        "/scheduling/jobs/nothing", "/scheduling/scheduler/run/nothing", "/snapshots/" + "0" * 64 + "/files?path=/",
        "/snapshots/" + "0" * 64 + "/content?path=/x", "/account/organizations/nothing", "/no/such/route",
    ],
)  # fmt: skip
def test_unknown_things_are_404(api: Api, path: str) -> None:
    assert problem_of(api, "GET", path).status == 404


def test_malformed_requests(api: Api, inventory: str) -> None:
    path = f"/inventories/{inventory}/resources"
    headers = {"Content-Type": "application/json"}
    assert problem_of(api, "POST", path, content=b'{"urn": ', headers=headers).status == 400
    assert problem_of(api, "POST", path, content=b"[]", headers=headers).status == 400
    assert problem_of(api, "POST", path, content=b"\xff\xfe", headers=headers).status == 400
    assert problem_of(api, "POST", path, json={"urn": 7, "name": []}).status == 400
    assert problem_of(api, "POST", "/scheduling/scheduler/run", json={"type": "dance", "origin_id": "x"}).status == 400


def test_a_run_without_an_origin_is_refused(api: Api, directory: Directory, tmp_path: Path) -> None:
    _, store = directory("store", tmp_path / "store")
    for task in ({"type": "check"}, {"type": "backup", "target_id": store}, {"type": "check", "target_id": store}):
        problem = problem_of(api, "POST", "/scheduling/scheduler/run", json={"origin_id": "", **task})
        assert (problem.status, [f["field"] for f in problem.body["fields"]]) == (400, ["origin_id"])
    swapped = {"type": "backup", "origin_id": store, "target_id": store}
    assert problem_of(api, "POST", "/scheduling/scheduler/run", json=swapped).code == "origin_kind_wrong"


def test_a_run_with_options_of_another_type_is_refused_before_it_is_a_job(
    api: Api, directory: Directory, tmp_path: Path
) -> None:
    (_, store), (_, destination) = directory("store", tmp_path / "store"), directory("destination", tmp_path / "back")
    for task, field in (
        ({"type": "restore", "target_id": destination, "config": {"read_percent": 5}}, "config.read_percent"),
        ({"type": "check", "config": {"paths": ["/photos"]}}, "config.paths"),
    ):
        problem = problem_of(api, "POST", "/scheduling/scheduler/run", json={"origin_id": store, **task})
        assert (problem.code, [f["field"] for f in problem.body["fields"]]) == ("options_invalid", [field])


def test_failed_test_is_an_answer_not_an_error(api: Api, directory: Directory, tmp_path: Path) -> None:
    _, source = directory("source", tmp_path / "is-not-there")
    report = api.post(f"/connectors/{source}/test")
    assert report["ok"] is False
    failed = [c for c in report["checks"] if not c["ok"]]
    assert failed
    assert "is-not-there" in failed[0]["detail"]


def test_wrong_credentials_are_told(api: Api, inventory: str, s3: S3Server) -> None:
    urn_id = api.create_resource(inventory, a_bucket_body(endpoint=s3.endpoint))
    fields = {**s3.fields("documents"), "secret_access_key": "wrong-secret-0123456789"}
    source = api.create_connector("source", name="wrong", integration="s3", urn_id=urn_id, fields=fields)
    report = api.post(f"/connectors/{source}/test")
    assert report["ok"] is False
    assert "wrong-secret" not in json.dumps(report)


def test_a_corrected_host_of_a_resource_reaches_the_workers(api: Api, inventory: str, s3: S3Server) -> None:
    wrong, right = (a_bucket_body("urn:moved", endpoint=host) for host in ("127.0.0.1:9", s3.endpoint))
    urn_id = api.create_resource(inventory, wrong)
    source = api.create_connector(
        "source", name="moved", integration="s3", urn_id=urn_id, fields=s3.fields("documents")
    )
    assert api.post(f"/connectors/{source}/test")["ok"] is False

    api.post(f"/inventories/{inventory}/resources/{urn_id}", right)

    eventually(lambda: api.post(f"/connectors/{source}/test")["ok"], deadline_seconds=30)


@pytest.mark.parametrize("label", ["x" * 140_000, "a,b", " ", "cairn:x"])
def test_labels_that_no_restore_point_can_have(
    api: Api, directory: Directory, tree: Path, tmp_path: Path, label: str
) -> None:
    _, source = directory("source", tree)
    _, store = directory("store", tmp_path / "store")
    run = {"type": "backup", "origin_id": source, "target_id": store, "config": {"labels": ["fine", label]}}
    problem = problem_of(api, "POST", "/scheduling/scheduler/run", json=run)
    assert (problem.status, problem.code) == (400, "options_invalid")
    assert [fault["field"] for fault in problem.body["fields"]] == ["config.labels.1"]


def test_store_faults(api: Api, directory: Directory, tree: Path, tmp_path: Path) -> None:
    _, source = directory("source", tree)
    _, store = directory("store", tmp_path / "store")
    job = api.wait_for_run(api.start_backup(source, store))
    assert job["status"] == "failed"
    assert "initialized" in api.job_log(job["id"])

    api.post(f"/connectors/{store}/stores/create")
    bare = tmp_path / "bare"
    _, without = directory("store", bare, passphrase="")
    assert problem_of(api, "POST", f"/connectors/{without}/stores/create").code == "passphrase_missing"


def test_wrong_passphrase_is_told(api: Api, inventory: str, tmp_path: Path, tree: Path, directory: Directory) -> None:
    root = tmp_path / "shared-store"
    _, first = directory("store", root)
    api.post(f"/connectors/{first}/stores/create")
    urn_id = api.create_resource(inventory, a_resource_body("urn:again"))
    fields = {"root": str(root), "passphrase": "not-the-passphrase"}
    second = api.create_connector("store", name="second", integration="fs", urn_id=urn_id, fields=fields)

    refused = problem_of(api, "POST", f"/connectors/{second}/stores/create")
    assert "passphrase" in refused.body["detail"].lower()
    assert "not-the-passphrase" not in json.dumps(refused.body)
    _, source = directory("source", tree)
    job = api.wait_for_run(api.start_backup(source, second))
    assert job["status"] == "failed"
    assert "passphrase" in api.job_log(job["id"]).lower()


def test_cairns_own_state_is_never_touched(api: Api, directory: Directory, platform: Any, tmp_path: Path) -> None:
    _, inside = directory("source", platform.home / "data")
    assert api.post(f"/connectors/{inside}/test")["ok"] is False
    sneaky = tmp_path / "sneaky"
    sneaky.symlink_to(platform.home)
    _, linked = directory("source", sneaky)
    assert api.post(f"/connectors/{linked}/test")["ok"] is False


def test_bad_paths_in_a_restore_point(api: Api, directory: Directory, tree: Path, tmp_path: Path) -> None:
    _, source = directory("source", tree)
    _, store = directory("store", tmp_path / "store")
    api.post(f"/connectors/{store}/stores/create")
    api.wait_for_run(api.start_backup(source, store))
    snapshot = api.snapshots(store)[0]["snapshot_id"]
    expected = {
        "content?path=/documents/../..hidden": "path_invalid",
        "content?path=/nothing": "path_not_found",
        "content?path=/documents/letter.txt/x": "path_not_found",
        "content?path=": "path_missing",
        "content?path=relative": "path_invalid",
        "content?path=/documents/%00": "request_invalid",
        "content?path=/documents": "not_a_file",
        "files?path=/documents/letter.txt": "not_a_directory",
        "files?path=/&cursor=rubbish": "cursor_invalid",
        "files?path=/&limit=-1": "request_invalid",
    }
    found = {asked: problem_of(api, "GET", f"/snapshots/{snapshot}/{asked}").code for asked in expected}
    assert found == expected
