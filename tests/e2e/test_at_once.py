"""What several people do at the same moment: one connector edited twice, many made, a resource that moves meanwhile."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cairn_local.api_client import Api, ApiProblem

from tests.e2e.conftest import Directory, Platform
from tests.e2e.wizard_steps import Steps, values
from tests.support.bodies import a_bucket_body, a_resource_body
from tests.support.s3 import S3Server, free_port
from tests.support.waiting import eventually

MANY = 50
ROUNDS = 4


def test_of_two_who_edit_one_connector_the_second_is_told(
    platform: Platform, api: Api, directory: Directory, tmp_path: Path
) -> None:
    _, source = directory("source", tmp_path)
    with platform.api() as other:
        read = [each.call("GET", f"/connectors/{source}") for each in (api, other)]
        assert read[0].headers["etag"] == read[1].headers["etag"]
        tag = {"If-Match": read[0].headers["etag"]}

        def rename(client: Api, name: str) -> str:
            body = read[0].json() | {"name": name, "urn_id": read[0].json()["resource"]["urn_id"]}
            try:
                return str(client.call("POST", f"/connectors/{source}", json=body, headers=tag).json()["name"])
            except ApiProblem as refused:
                return f"{refused.status} {refused.code}"

        both = _together(lambda: rename(api, "mine"), lambda: rename(other, "theirs"))
        [kept] = {"mine", "theirs"} & set(both)
        assert set(both) == {kept, "412 revision_changed"}
        assert api.get(f"/connectors/{source}")["name"] == kept
        # Who reads it again may go on.
        tag = {"If-Match": other.call("GET", f"/connectors/{source}").headers["etag"]}
        assert rename(other, "agreed") == "agreed"
        with pytest.raises(ApiProblem) as late:
            api.call("DELETE", f"/connectors/{source}", headers={"If-Match": read[0].headers["etag"]})
        assert late.value.status == 412


def test_fifty_connectors_at_once_are_fifty(api: Api, inventory: str, tmp_path: Path) -> None:
    urn_id = api.create_resource(inventory, a_resource_body("urn:many"))
    names = [f"source {number}" for number in range(MANY)]
    fs, fields = {"id": api.integration_id("fs")}, values(root=str(tmp_path))
    body = {"type": "source", "urn_id": urn_id, "integration": fs, "fields": fields}

    def make(name: str) -> str:
        return str(Steps(api).save(body | {"name": name})["id"])

    with ThreadPoolExecutor(MANY) as people:
        made = list(people.map(make, names))
    assert len(set(made)) == MANY
    listed = api.get(api.organization("/connectors"), type="source", inventory_id=inventory)
    assert {each["id"]: each["name"] for each in listed["items"]} == dict(zip(made, names, strict=True))
    shown = api.get(f"/inventories/{inventory}/resources/{urn_id}/connectors")["sources"]
    assert {each["id"] for each in shown} == set(made)


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_resource_that_moves_while_it_is_assigned_is_found(
    api: Api, inventory: str, s3: S3Server, round_: int
) -> None:
    body = a_bucket_body(f"urn:moving:{round_}", endpoint=f"127.0.0.1:{free_port()}")
    urn_id = api.create_resource(inventory, body)
    moved = body | {"endpoints": [{"endpoint": s3.endpoint}]}

    def assign() -> str:
        return api.create_connector(
            "source", name="moving", integration="s3", urn_id=urn_id, fields=s3.fields("documents")
        )

    def move() -> Any:
        return api.post(f"/inventories/{inventory}/resources/{urn_id}", moved)

    connector, _ = _together(assign, move) if round_ % 2 else reversed(_together(move, assign))
    # By its old endpoint nobody answers.
    eventually(lambda: api.post(f"/connectors/{connector}/test")["ok"], deadline_seconds=30)


def _together(*deeds: Callable[[], Any]) -> list[Any]:
    with ThreadPoolExecutor(len(deeds)) as people:
        return [done.result() for done in [people.submit(deed) for deed in deeds]]
