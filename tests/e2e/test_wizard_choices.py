"""Choices that a package of somebody else's brings: several integrations, several protocols, and one that goes away."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cairn_local.api_client import Api, ApiProblem
from cairn_local.platform import load_addresses
from cairn_local.process_plan import load_plan
from pymongo import MongoClient

from tests.e2e.conftest import CANARY, Platform
from tests.e2e.wizard_steps import Json, Steps, accepted, fields_of, origins
from tests.support.bodies import a_resource_body
from tests.support.installed_package import SHELF, install
from tests.support.processes import Running, running_module
from tests.support.s3 import free_port
from tests.support.waiting import eventually

POOL = "shelves"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Shelves:
    """The integration of the package, and the worker that has it."""

    platform: Platform
    worker: Running
    id: str

    def go_away(self) -> None:
        """Its only worker ends, and is not heard of for as long as makes an integration gone: three days pass."""
        self.worker.stop()
        with MongoClient[dict[str, Any]](load_addresses(self.platform.state).mongodb_uri) as client:
            assignment = client["cairn_assignment"]
            for collection, document_id in (("integrations", self.id), ("pools", POOL)):
                [kept] = assignment[collection].find({"_id": document_id})
                assignment[collection].update_one({"_id": document_id}, {"$set": {"value": _aged(kept["value"])}})


def _aged(value: Any) -> Any:
    """The same with all times of announcements long ago."""
    if isinstance(value, list):
        return [_aged(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: _long_ago(each) if name == "announced_at" else _aged(each) for name, each in value.items()}


def _long_ago(moment: Any) -> Any:
    return LONG_AGO if isinstance(moment, datetime) else LONG_AGO.isoformat(timespec="milliseconds")


@contextmanager
def _worker(platform: Platform, packages: Path, folder: Path) -> Iterator[Running]:
    """A worker beside that of the platform, in a pool of its own, which finds the package by its entry point alone."""
    spec = next(spec for spec in load_plan(platform.state.plan) if spec.name == "connector")
    found_in = os.pathsep.join(filter(None, (str(packages), spec.env.get("PYTHONPATH"))))
    own = {
        "PYTHONPATH": found_in,
        "CAIRN_POOL": POOL,
        "CAIRN_INSTANCE": "local-shelves",
        "CAIRN_HTTP_PORT": str(free_port()),
        "CAIRN_WORK_DIR": str(folder / "work"),
    }
    with running_module("connector", "serve", environment=spec.env | own, log=folder / "worker.log") as worker:
        yield worker


@pytest.fixture(scope="module")
def shelves(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelves]:
    """The package at work."""
    folder = tmp_path_factory.mktemp("shelves")
    with _worker(platform, install(SHELF, folder / "packages"), folder) as worker, platform.api() as api:

        def known() -> str | None:
            offered = [each for each in api.get("/integrations/installed")["items"] if each["name"] == "shelf"]
            versions = api.get("/integrations/catalog/shelf/versions")["items"] if offered else []
            return offered[0]["id"] if [each["pools"] for each in versions] == [[POOL]] else None

        found = eventually(known, deadline_seconds=60)
        yield Shelves(platform, worker, str(found))


@pytest.fixture
def steps(api: Api) -> Steps:
    return Steps(api)


@pytest.fixture
def boards(tmp_path: Path) -> Path:
    """A shelf with a board."""
    made = tmp_path / "shelf"
    (made / "7").mkdir(parents=True)
    (made / "7" / "book.txt").write_text("a book")
    return made


@pytest.fixture
def resource(api: Api, inventory: str, boards: Path) -> str:
    """What both directories and shelves work with."""
    body = a_resource_body("urn:wizard:boards", tags=[f"shelf={boards}", f"path={boards / '7'}"])
    return api.create_resource(inventory, body)


def refusal(steps: Steps, body: Json) -> ApiProblem:
    """What a creation is refused with; a dry run says the same."""
    with pytest.raises(ApiProblem) as refused:
        steps.save(body)
    tried = steps.dry_run(body)
    assert (tried["valid"], tried["code"], tried["test"]) == (False, refused.value.code, None)
    assert tried["faults"] == refused.value.body["fields"]
    return refused.value


@pytest.mark.usefixtures("shelves")
def test_a_person_chooses_among_integrations_and_protocols(
    api: Api, steps: Steps, shelves: Shelves, resource: str, tmp_path: Path
) -> None:
    fits = steps.compatible("source", resource)
    assert [each["name"] for each in fits["items"]] == ["fs", "shelf"]
    assert {each["match"]["code"] for each in fits["items"]} == {"subclass_matches"}
    assert fits["chosen"] is None
    unchosen: Json = {"type": "source", "name": "board", "urn_id": resource}
    assert refusal(steps, unchosen).code == "integration_ambiguous"

    form = steps.form(shelves.id, "source", resource)
    assert (form["protocol"], form["prefilled"], form["complete"]) == (None, {}, False)
    assert [each["name"] for each in form["protocols"]] == ["shelf+folder", "shelf+board"]
    assert refusal(steps, unchosen | {"integration": {"id": shelves.id}}).code == "protocol_ambiguous"

    form = steps.form(shelves.id, "source", resource, protocol="shelf+board")
    assert [field["name"] for field in form["fields"]["shelf+board"]] == ["base", "layout", "number", "passphrase"]
    assert form["fields"]["shelf+board"][2]["when"] == {"field": "layout", "values": ["numbered"]}
    assert (origins(form), form["complete"]) == ({"base": "tag", "layout": "default"}, True)

    tried = steps.dry_run(accepted(form, resource, layout="numbered"))
    assert (tried["valid"], tried["complete"], fields_of(tried["missing"])) == (True, False, {"fields.number"})
    faults = refusal(steps, accepted(form, resource, layout="upright", number="seven")).body["fields"]
    assert fields_of(faults) == {"fields.layout", "fields.number"}
    tried = steps.dry_run(accepted(form, resource, layout="numbered", number="9"))
    assert (tried["complete"], tried["test"]["ok"]) == (True, False)
    body = accepted(form, resource, layout="numbered", number="7")
    assert steps.dry_run(body)["test"]["ok"]

    source = steps.save(body)
    store = _plain_store(api, resource, tmp_path / "store")
    point = steps.backed_up(source["id"], store)
    assert [entry["name"] for entry in api.files(point)] == ["book.txt"]
    assert api.content(point, "/book.txt").content == b"a book"


def test_what_only_one_works_with_is_chosen_by_itself(
    api: Api, steps: Steps, shelves: Shelves, inventory: str, boards: Path
) -> None:
    steel = a_resource_body(
        "urn:wizard:steel", **{"class": "shelving", "subclass": "steel", "tags": [f"path={boards}"]}
    )
    resource = api.create_resource(inventory, steel)
    assert steps.compatible("source", resource)["chosen"] == shelves.id
    # Of its two protocols one can be a store.
    form = steps.form(shelves.id, "store", resource)
    assert (form["protocol"], form["prefilled"]["root"]["value"]) == ("shelf+folder", str(boards))
    tried = steps.dry_run({"type": "store", "name": "s", "urn_id": resource}, test=False)
    assert (tried["integration"]["name"], tried["protocol"]) == ("shelf", "shelf+folder")
    assert fields_of(tried["missing"]) == {"fields.root"}


def test_an_integration_is_done_without_and_taken_back(
    api: Api, steps: Steps, shelves: Shelves, resource: str, boards: Path
) -> None:
    form = steps.form(shelves.id, "source", resource, protocol="shelf+folder")
    source = steps.save(accepted(form, resource))["id"]
    used = _refused(api, "DELETE", f"/integrations/installed/{shelves.id}")
    assert (used.status, used.code) == (409, "integration_in_use")
    for connector in api.get(api.organization("/connectors"))["items"]:
        if connector["integration"]["id"] == shelves.id:
            api.delete(f"/connectors/{connector['id']}")

    api.delete(f"/integrations/installed/{shelves.id}")
    fits = steps.compatible("source", resource)
    assert ([each["name"] for each in fits["items"]], fits["chosen"]) == (["fs"], api.integration_id("fs"))
    assert [(each["name"], each["match"]["code"]) for each in fits["near_misses"]] == [("shelf", "not_installed")]
    assert refusal(steps, accepted(form, resource)).code == "integration_not_installed"
    assert steps.save({"type": "source", "name": "by itself", "urn_id": resource})["protocol"] == "fs"

    api.post("/integrations/installed", {"name": "shelf", "version": "1.2.0"})
    again = steps.save(accepted(form, resource))
    assert again["id"] != source
    assert again["fields"]["root"]["value"] == str(boards / "7")


def test_an_integration_goes_away_and_what_was_backed_up_stays(
    api: Api, steps: Steps, shelves: Shelves, resource: str, boards: Path, tmp_path: Path
) -> None:
    form = steps.form(shelves.id, "source", resource, protocol="shelf+folder")
    source = steps.save(accepted(form, resource))["id"]
    store = _plain_store(api, resource, tmp_path / "store")
    point = steps.backed_up(source, store)

    shelves.go_away()
    fits = steps.compatible("source", resource)
    assert ([each["name"] for each in fits["items"]], fits["chosen"]) == (["fs"], api.integration_id("fs"))
    assert [(each["name"], each["match"]["code"]) for each in fits["near_misses"]] == [("shelf", "gone")]
    assert _refused(api, "GET", f"/integrations/{shelves.id}?type=source&urn_id={resource}").code == "integration_gone"
    body = accepted(form, resource) | {"name": "another"}
    assert refusal(steps, body).code == "integration_gone"
    for action in ("test", "backup"):
        said = steps.action(source, action)
        assert (said["available"], said["reason"]["code"]) == (False, "integration_gone")
    assert api.content(point, "/book.txt").content == b"a book"

    api.delete(f"/connectors/{source}")
    assert api.content(point, "/book.txt").content == b"a book"
    assert [each["snapshot_id"] for each in api.snapshots(store)] == [point]


def _refused(api: Api, method: str, path: str) -> ApiProblem:
    with pytest.raises(ApiProblem) as refused:
        api.call(method, path)
    return refused.value


def _plain_store(api: Api, urn_id: str, place: Path) -> str:
    """Id of a store in a directory."""
    fields = {"root": str(place), "passphrase": f"{CANARY}-shelves"}
    store = api.create_connector("store", name=place.name, integration="fs", urn_id=urn_id, fields=fields)
    api.post(f"/connectors/{store}/stores/create")
    return store
