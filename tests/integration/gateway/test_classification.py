"""Environments and data classes as clients drive them, with connectors that carry them."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from tests.integration.gateway.client import Client, a_connector_body
from tests.integration.gateway.conftest import Platform
from tests.integration.gateway.members import as_member
from tests.support.waiting import eventually_async


async def label(api: Client, kind: str, name: str) -> dict[str, Any] | None:
    """A label as the listing has it."""
    found = await api.get(api.org(f"/{kind}/search"), name=name)
    return next((dict(row) for row in found["items"] if row["name"] == name), None)


async def a_source(api: Client, name: str, **labels: Any) -> str:
    """Id of a new source."""
    urn_id = await api.resource(await api.inventory(), f"urn:{name}")
    return str((await api.connector("source", urn_id, {"root": "/srv"}, name=name, **labels))["id"])


async def rename(api: Client, kind: str, name: str, new_name: str, **more: Any) -> None:
    await api.change("PATCH", api.org(f"/{kind}/{quote(name, safe='')}"), {"name": new_name, **more})


async def labels_become(api: Client, source: str, environment: str, data_classes: list[str]) -> None:
    """Wait until a source carries these labels."""

    async def carries() -> bool:
        read = await api.get(f"/connectors/{source}")
        return (read["environment"], read["data_classes"]) == (environment, data_classes)

    await eventually_async(carries, 30)


async def test_an_organization_has_the_defaults_of_the_product(api: Client) -> None:
    found = await api.get(api.org("/classification"))
    assert [row["name"] for row in found["environments"]][:4] == ["production", "staging", "integration", "testing"]
    assert [row["name"] for row in found["data_classes"]][:2] == ["personal_data", "sensitive_personal_data"]
    page = await api.get(api.org("/data_classes"), limit=3, offset=2)
    assert page["total"] >= 10
    assert [row["name"] for row in page["items"]] == ["health_records", "cardholder_data", "financial_records"]


async def test_a_label_is_added_renamed_used_and_removed(api: Client) -> None:
    made = await api.post(api.org("/environments"), {"name": "rehearsal"})
    assert (made["name"], made["listed"], made["usage"]["sources"]) == ("rehearsal", True, 0)
    again = await api.problem("POST", api.org("/environments"), json={"name": "Rehearsal"})
    assert (again["status"], again["code"]) == (409, "label_exists")

    source = await a_source(api, "carrier", environment="rehearsal", data_classes=["z", "rehearsal", "a"])
    await rename(api, "environments", "rehearsal", "quality")
    await labels_become(api, source, "quality", ["z", "rehearsal", "a"])
    await rename(api, "data_classes", "rehearsal", "a", merge=True)
    await labels_become(api, source, "quality", ["z", "a"])
    assert (await label(api, "environments", "quality") or {})["usage"]["sources"] == 1
    assert await label(api, "environments", "rehearsal") is None

    refused = await api.problem("DELETE", api.org("/environments/quality"))
    assert (refused["status"], refused["code"]) == (409, "label_in_use")
    assert "carrier (source)" in refused["detail"]
    forced = await api.call("DELETE", api.org("/environments/quality"), params={"force": "true"})
    assert forced.status_code == 204
    kept = await label(api, "environments", "quality")
    assert kept is not None
    assert (kept["listed"], kept["usage"]["sources"]) == (False, 1)
    assert (await api.get(f"/connectors/{source}"))["environment"] == "quality"

    # What is used and not listed can be renamed onto what is listed.
    taken = await api.problem("PATCH", api.org("/environments/quality"), json={"name": "testing"})
    assert (taken["status"], taken["code"]) == (409, "label_exists")
    await rename(api, "environments", "quality", "testing", merge=True)
    await labels_become(api, source, "testing", ["z", "a"])
    assert await label(api, "environments", "quality") is None


async def test_names_hold_what_texts_hold(api: Client) -> None:
    name = "north/süd & 50% + ?"
    await api.post(api.org("/data_classes"), {"name": name})
    await rename(api, "data_classes", name, "a/b c")
    assert await label(api, "data_classes", "a/b c")
    gone = await api.call("DELETE", api.org(f"/data_classes/{quote('a/b c', safe='')}"))
    assert gone.status_code == 204
    missing = await api.problem("DELETE", api.org(f"/data_classes/{quote('a/b c', safe='')}"))
    assert (missing["status"], missing["code"]) == (404, "label_not_found")
    for bad in ("", " x", "x/", "..", "a\tb", "x" * 256):
        refused = await api.problem("POST", api.org("/data_classes"), json={"name": bad})
        assert (refused["status"], refused["code"]) == (400, "label_invalid"), bad
        assert refused["fields"][0]["field"] == "name"


async def test_a_repeated_rename_gets_its_first_answer(api: Client) -> None:
    await api.post(api.org("/environments"), {"name": "once"})
    await a_source(api, "once-source", environment="once")
    for _ in range(2):
        answer = await api.call(
            "PATCH", api.org("/environments/once"), json={"name": "twice"}, headers={"Idempotency-Key": "rename-once"}
        )
        assert answer.status_code == 200, answer.text


async def test_a_rename_reaches_connectors_that_are_made_meanwhile_or_leaves_them_as_they_were_asked_for(
    api: Client,
) -> None:
    await api.post(api.org("/environments"), {"name": "before"})
    urn_id = await api.resource(await api.inventory(), "urn:many")

    async def assign(number: int) -> str:
        body = a_connector_body("source", urn_id, {"root": "/srv"}, name=f"many-{number}", environment="before")
        return str((await api.post(api.org("/connectors"), body))["id"])

    early = [await assign(number) for number in range(8)]
    late = asyncio.gather(*(assign(number) for number in range(8, 24)))
    await rename(api, "environments", "before", "after")
    made = [*early, *await late]
    for source in early:
        await labels_become(api, source, "after", [])
    # Those that were asked for after the rename keep the text that they were asked for with: one more rename mends it.
    if await label(api, "environments", "before"):
        await rename(api, "environments", "before", "after", merge=True)
    for source in made:
        await labels_become(api, source, "after", [])
    assert await label(api, "environments", "before") is None


async def test_who_may_not_read_sees_nothing_and_who_may_not_write_changes_nothing(
    api: Client, platform: Platform
) -> None:
    auditor, nobody = await as_member(platform, api, "auditor"), await as_member(platform, api)
    assert (await auditor.get(api.org("/environments")))["total"] >= 4
    for path in ("/environments", "/data_classes/search"):
        assert await nobody.get(api.org(path)) == {"total": 0, "items": []}
    assert await nobody.get(api.org("/classification")) == {"environments": [], "data_classes": []}
    for method, path in (("POST", ""), ("PATCH", "/staging"), ("DELETE", "/staging")):
        refused = await auditor.problem(method, api.org(f"/environments{path}"), json={"name": "mine"})
        assert refused["status"] == 403


async def test_changes_stand_in_the_audit_log(api: Client) -> None:
    await api.post(api.org("/environments"), {"name": "audited"})
    await rename(api, "environments", "audited", "audited-2")
    assert (await api.call("DELETE", api.org("/environments/audited-2"))).status_code == 204
    entries = [e for e in await api.audited(limit=50) if e["subject"]["id"].startswith("audited")]
    assert [(e["action"], e["outcome"]) for e in entries] == [
        ("environment.remove", "completed"),
        ("environment.rename", "completed"),
        ("environment.create", "completed"),
    ]
    assert entries[1]["details"]["new_name"] == "audited-2"


@pytest.mark.parametrize("kind", ["environments", "data_classes"])
async def test_a_label_that_is_called_search_is_a_label_as_any_other(api: Client, kind: str) -> None:
    for name in ("search", "searched"):
        await api.post(api.org(f"/{kind}"), {"name": "search"})
        assert (await label(api, kind, "search") or {})["listed"]
        if name != "search":
            await rename(api, kind, "search", name)
        assert (await api.call("DELETE", api.org(f"/{kind}/{name}"))).status_code == 204
        assert await label(api, kind, name) is None
    assert (await api.call("POST", api.org(f"/{kind}/search"), json={"name": "x"})).status_code == 405
