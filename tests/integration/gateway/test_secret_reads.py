"""Whatever is read: secrets come in clear only to who may see them, and each such read stands in the audit log."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from chassis.ids import new_id

import gateway
from tests.integration.gateway.client import Client, Json
from tests.integration.gateway.conftest import Platform
from tests.integration.gateway.members import as_member

CANARY = "canary-93ac-reads"
DOCUMENT = Path(gateway.__file__).parents[2] / "openapi.json"
# Without an end, or about what is in stores.
LEFT_OUT = ("/api/v1/stream", "/api/v1/snapshots", "/api/v1/health")
SHOWN = {
    "/api/v1/connectors/{connector}": "connectors",
    "/api/v1/account/organizations/{org}/connectors": "connectors",
    "/api/v1/account/organizations/{org}/bundles": "bundles",
    "/api/v1/account/organizations/{org}/bundles/{bundle}": "bundles",
    "/api/v1/bundles/inventories/{inv}": "bundles",
    "/api/v1/bundles/inventories/{inv}/{bundle}": "bundles",
    "/api/v1/inventories/{inv}": "inventories",
}
"""Reads that show secrets, and what the entry of the audit log calls those who hold them."""


@pytest.fixture(scope="module")
def reads() -> Mapping[str, Json]:
    """All reads that the API has, by path."""
    paths: dict[str, Json] = json.loads(DOCUMENT.read_text())["paths"]
    return {path: each["get"] for path, each in paths.items() if "get" in each and not path.startswith(LEFT_OUT)}


@pytest.fixture
async def ids(platform: Platform, api: Client) -> dict[str, str]:
    """What holds secrets, by what paths call it."""
    where = await api.inventory()
    urn_id = await api.resource(where)
    secret = {"value": CANARY}
    # One for each test: two bundles that say different things for the same connectors would be refused.
    here = f"canaries {new_id()}"
    bundle = {"environment": here, "fields": {"passphrase": secret}}
    made = await api.post(api.org("/bundles"), {**bundle, "name": "everywhere"})
    within = await api.post(f"/bundles/inventories/{where}", {**bundle, "name": "here", "environment": "other"})
    fields = {"root": str(platform.files)}
    filled = await api.connector("store", urn_id, fields, name="filled", environment=here)
    own = await api.connector("store", urn_id, fields | {"passphrase": CANARY}, name="own")
    account = await api.post(
        api.org("/inventories"), {"name": "account", "type": "k8s", "k8s_configuration": {"k8s_kubeconf": secret}}
    )
    [fs] = [each for each in (await api.get("/integrations/installed"))["items"] if each["name"] == "fs"]
    return {
        **{"org": api.organization_id, "inv": where, "account": account["id"], "urn_id": urn_id},
        **{"connector": own["id"], "filled": filled["id"], "bundle": made["id"], "within": within["id"]},
        **{"integration": fs["id"], "name": "fs", "source_id": own["id"], "environment": here},
    }


def addresses(path: str, read: Json, ids: Mapping[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Where to read: for each of those that a part of the path may mean."""
    needed = [each["name"] for each in read.get("parameters", ()) if each["in"] == "query" and each.get("required")]
    query = {"type": "store", "urn_id": ids["urn_id"], "path": "/", "environment": ids["environment"]}
    others = {"inv": ("inv", "account"), "connector": ("connector", "filled"), "bundle": ("bundle", "within")}
    asked = {name: value for name, value in query.items() if name in needed or path.startswith("/api/v1/integrations")}
    for place, choices in others.items():
        for choice in choices if f"{{{place}}}" in path else ():
            yield _filled(path, {**ids, place: ids[choice]}), asked
    if not any(f"{{{place}}}" in path for place in others):
        yield _filled(path, ids), asked


def _filled(path: str, ids: Mapping[str, str]) -> str:
    for name, value in ids.items():
        path = path.replace(f"{{{name}}}", value)
    # What is not there: runs, operations.
    return path.replace("{", "").replace("}", "")


async def shown_to(client: Client, reads: Mapping[str, Json], ids: Mapping[str, str]) -> set[str]:
    """The paths whose answers hold a secret in clear."""
    found = set()
    for path, read in reads.items():
        for address, query in addresses(path, read, ids):
            answer: httpx.Response = await client.http.get(address, params=query)
            assert answer.status_code < 500, (address, answer.text)
            if CANARY in answer.text:
                found.add(path)
    return found


async def by(api: Client, reader: Client) -> list[Json]:
    """The reads of secrets that somebody's account has in the audit log."""
    me = (await reader.get("/account/me"))["id"]
    return [entry for entry in await api.audited(action="secret.read", limit=200) if entry["account_id"] == me]


@pytest.mark.parametrize("role", ["operator", "backup-operator", "auditor", None])
async def test_nobody_else_reads_a_secret(
    platform: Platform, api: Client, reads: Mapping[str, Json], ids: dict[str, str], role: str | None
) -> None:
    somebody = await as_member(platform, api, *([role] if role else []))
    assert await shown_to(somebody, reads, ids) == set()
    assert await by(api, somebody) == []


async def test_each_read_of_a_secret_stands_in_the_audit_log(
    platform: Platform, api: Client, reads: Mapping[str, Json], ids: dict[str, str]
) -> None:
    assert await shown_to(api, reads, ids) == SHOWN.keys()
    holders = {ids[name] for name in ("connector", "filled", "bundle", "within", "account")}
    for path, called in SHOWN.items():
        for address, query in addresses(path, reads[path], ids):
            # Somebody else each time, so that the entries are those of this read.
            reader = await as_member(platform, api, "administrator")
            answer = await reader.http.get(address, params=query)
            entries = await by(api, reader)
            assert bool(entries) == (CANARY in answer.text), address
            named = {holder for entry in entries for holder in entry["details"][called]}
            assert {holder for holder in holders if holder in answer.text and _holds(answer, holder)} <= named, address
            await reader.http.get(address, params=query)
            assert len(await by(api, reader)) == 2 * len(entries), address


def _holds(answer: httpx.Response, holder: str) -> bool:
    """Whether the answer shows the secret of a holder, and not only its id."""
    body: Any = answer.json()
    rows = body.get("items", [body])
    return any(row.get("id") == holder and CANARY in json.dumps(row) for row in rows)


async def test_what_is_changed_or_tried_is_echoed_like_a_read(
    platform: Platform, api: Client, ids: dict[str, str]
) -> None:
    writer = await as_member(platform, api, "administrator")
    body = await writer.get(f"/connectors/{ids['connector']}")
    [first] = await by(api, writer)
    sent = {**body, "urn_id": ids["urn_id"], "name": "renamed"}
    tried = await writer.post(api.org("/connectors/dry-run"), sent)
    assert CANARY not in json.dumps(tried)
    assert await by(api, writer) == [first]
    changed = await writer.post(f"/connectors/{ids['connector']}", sent)
    assert CANARY in json.dumps(changed)
    assert len(await by(api, writer)) == 2
