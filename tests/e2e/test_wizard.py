"""From a resource to a restore point as a person goes, for directories and buckets: each step is one read."""

from pathlib import Path

import pytest
from cairn_local.api_client import Api, ApiProblem

from tests.e2e.conftest import CANARY, Platform
from tests.e2e.kept import document_ids, documents, topics_with
from tests.e2e.wizard_steps import Json, Steps, accepted, fields_of, origins, values
from tests.support.bodies import a_bucket_body, a_resource_body
from tests.support.s3 import S3Server
from tests.support.waiting import eventually

TAGS = ["environment=production", "data_class=documents", "data_class=audit_logs"]


@pytest.fixture
def steps(api: Api) -> Steps:
    return Steps(api)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory to back up."""
    made = tmp_path / "letters"
    made.mkdir()
    (made / "first.txt").write_bytes(b"Dear reader,\n")
    return made


@pytest.fixture
def resource(api: Api, inventory: str, folder: Path) -> str:
    """A resource for the directory, whose tags say where it is and what it is for."""
    tags = [*TAGS, f"path={folder}"]
    return api.create_resource(inventory, a_resource_body("urn:wizard:letters", tags=tags))


def test_a_directory_from_its_resource_to_a_restore_point(
    api: Api, steps: Steps, resource: str, folder: Path, tmp_path: Path
) -> None:
    fits = steps.compatible("source", resource)
    [integration] = fits["items"]
    assert (integration["name"], integration["match"]["code"], fits["chosen"]) == (
        "fs",
        "subclass_matches",
        integration["id"],
    )
    form = steps.form(fits["chosen"], "source", resource)
    assert (form["protocol"], [each["name"] for each in form["protocols"]]) == ("fs", ["fs"])
    assert [field["name"] for field in form["fields"]["fs"]] == ["root", "passphrase"]
    assert (form["prefilled"]["root"]["value"], origins(form)) == (str(folder), {"root": "tag"})
    assert (form["environment"]["value"], form["data_classes"]["values"]) == ("production", ["documents", "audit_logs"])
    assert (form["names"][0]["value"], form["complete"]) == ("letters", True)

    tried = steps.dry_run(accepted(form, resource, root="not/absolute", colour="red") | {"name": ""})
    assert (tried["valid"], tried["code"], tried["test"]) == (False, "app_invalid", None)
    assert fields_of(tried["faults"]) == {"name", "fields.root", "fields.colour"}
    with pytest.raises(ApiProblem) as refused:
        steps.save(accepted(form, resource, root="not/absolute", colour="red") | {"data_classes": ["two\nlines"]})
    assert fields_of(refused.value.body["fields"]) >= {"fields.root", "fields.colour"}

    tried = steps.dry_run(accepted(form, resource, root=f"{folder}-of-nobody"))
    assert (tried["valid"], tried["complete"], tried["test"]["ok"]) == (True, True, False)
    assert "does not exist" in tried["test"]["checks"][0]["detail"]
    tried = steps.dry_run(accepted(form, resource))
    assert (tried["test"]["ok"], tried["untested"], tried["policies"]) == (True, "", [])

    source = steps.save(accepted(form, resource))
    assert (source["complete"], source["environment"], source["data_classes"]) == (
        True,
        "production",
        ["documents", "audit_logs"],
    )
    assert steps.tested(source["id"], ok=True)["trigger"] == "change"
    assert steps.form(fits["chosen"], "source", resource)["names"][0]["value"] != "letters"
    store = steps.store(resource, root=str(tmp_path / "store"), passphrase=f"{CANARY}-wizard")
    point = steps.backed_up(source["id"], store)
    assert [entry["name"] for entry in api.files(point)] == ["first.txt"]
    assert api.content(point, "/first.txt").content == (folder / "first.txt").read_bytes()


def test_a_failing_test_is_corrected(api: Api, steps: Steps, resource: str, folder: Path) -> None:
    form = steps.form(steps.compatible("source", resource)["chosen"], "source", resource)
    away = accepted(form, resource, root=str(folder.parent / "later"))
    source = steps.save(away)
    failed = steps.tested(source["id"], ok=False)
    assert "does not exist" in failed["checks"][0]["detail"]

    corrected = steps.dry_run(accepted(form, resource) | {"id": source["id"]})
    assert corrected["test"]["ok"]
    assert api.get(f"/connectors/{source['id']}")["fields"]["root"]["value"] == str(folder.parent / "later")
    api.post(f"/connectors/{source['id']}", accepted(form, resource))
    assert steps.tested(source["id"], ok=True)["revision"] == 2


def test_a_bucket_is_put_to_use_with_what_a_bundle_has(
    api: Api, steps: Steps, inventory: str, s3: S3Server, tmp_path: Path
) -> None:
    s3.fill({"2026/report.txt": b"nothing secret"}, "documents")
    body = a_bucket_body("urn:wizard:bucket", endpoint=s3.endpoint, tags=[*TAGS, "bucket=documents"])
    resource = api.create_resource(inventory, body)
    form = steps.form(steps.compatible("source", resource)["chosen"], "source", resource)
    assert (form["name"], form["complete"]) == ("s3", False)
    assert origins(form)["use_tls"] == "default"

    keys = values(access_key=s3.access_key, secret_access_key=s3.secret_key, use_tls="false")
    scope = {"name": "keys of the account", "environment": "production", "resource_classes": ["object-storage"]}
    api.post(f"/bundles/inventories/{inventory}", scope | {"fields": keys})
    shown = api.call("GET", f"/integrations/{form['id']}?type=source&urn_id={resource}")
    form = shown.json()
    assert (form["complete"], form["faults"]) == (True, [])
    assert {n: o for n, o in origins(form).items() if o != "default"} == {
        "root": "tag",
        "port": "endpoint",
        "access_key": "bundle",
        "secret_access_key": "bundle",
        "use_tls": "bundle",
    }
    assert form["prefilled"]["secret_access_key"] == {
        "value": "",
        "masked": True,
        "origin": {"kind": "bundle", "id": form["prefilled"]["use_tls"]["origin"]["id"], "name": scope["name"]},
    }
    assert s3.secret_key not in shown.text

    wrong = steps.dry_run(accepted(form, resource, secret_access_key=f"{CANARY}-wrong"))
    assert (wrong["valid"], wrong["test"]["ok"]) == (True, False)
    assert CANARY not in str(wrong)
    tried = steps.dry_run(accepted(form, resource))
    assert tried["test"]["ok"], tried["test"]
    assert sorted(tried["filled"]) == ["access_key", "secret_access_key", "use_tls"]
    assert s3.secret_key not in str(tried)

    source = steps.save(accepted(form, resource))
    assert source["fields"]["secret_access_key"]["bundle"]["name"] == scope["name"]
    keeping = {"type": "store", "name": "vault", "urn_id": resource, "environment": "production"}
    fields = values(root="backups/wizard", passphrase=f"{CANARY}-wizard")
    store = steps.save({**keeping, "fields": fields})
    api.post(f"/connectors/{store['id']}/stores/create")
    point = steps.backed_up(source["id"], store["id"])
    assert api.content(point, "/2026/report.txt").content == b"nothing secret"
    tab = api.get(f"/inventories/{inventory}/resources/{resource}/connectors")
    assert [row["id"] for row in (*tab["sources"], *tab["stores"])] == [source["id"], store["id"]]
    assert [each["snapshot_id"] for each in tab["restore_points"]] == [point]


@pytest.fixture
def tried(steps: Steps, resource: str, folder: Path) -> Json:
    """A description that nobody saves, by a name that is nowhere else."""
    form = steps.form(steps.compatible("source", resource)["chosen"], "source", resource)
    return accepted(form, resource, passphrase=f"{CANARY}-tried") | {"name": "tried-and-left-9c41"}


def test_a_dry_run_keeps_nothing(platform: Platform, api: Api, steps: Steps, resource: str, tried: Json) -> None:
    name = tried["name"].encode()
    listed = api.get(api.organization("/connectors"))

    def adds_nothing() -> bool:
        # Others work on the platform, too: tests of connectors that were saved before may still be kept. Of what a dry
        # run keeps itself no attempt would be free.
        before = document_ids(platform)
        assert steps.dry_run(tried)["test"]["ok"]
        assert not steps.dry_run({**tried, "fields": values(root="/nowhere-9c41")})["test"]["ok"]
        return document_ids(platform) <= before

    eventually(adds_nothing, deadline_seconds=60)
    kept = documents(platform)
    assert name not in kept
    assert b"nowhere-9c41" not in kept
    assert api.get(api.organization("/connectors")) == listed
    # The command has it, which nobody reads twice; no event tells of it.
    assert topics_with(name, platform) == {"cairn.connector.commands"}

    saved = steps.save(tried)
    assert name in documents(platform)
    assert "cairn.assignment.events" in topics_with(name, platform)

    eventually(lambda: steps.tested(saved["id"], ok=True), deadline_seconds=30)
    tests = api.get(f"/connectors/{saved['id']}/tests")["total"]
    again = steps.dry_run({**tried, "id": saved["id"], "fields": values(root="/nowhere-9c41")})
    assert not again["test"]["ok"]
    assert api.get(f"/connectors/{saved['id']}/tests")["total"] == tests
    assert api.get(f"/connectors/{saved['id']}")["fields"] == saved["fields"]
