"""A client that knows section 12 of the API reference alone: 200 only, the fields that are named, polled runs."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio
from chassis.ids import new_id

from tests.integration.gateway.client import Client, Json, log_in
from tests.integration.gateway.conftest import Platform
from tests.support.waiting import eventually_async

DEADLINE_SECONDS = 60
ONE_A_DAY = {"day": 1, "per_day": 1}


@dataclass(frozen=True)
class Pruner:
    """The client, with a badge."""

    http: httpx.AsyncClient
    store_id: str

    async def ask(self, method: str, path: str, body: Json | None = None) -> Json:
        """Everything but a 200 is a failure; the type of the content is always said."""
        answer = await self.http.request(
            method, f"/api/v1{path}", json=body, headers={"content-type": "application/json"}
        )
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def listed(self) -> list[str]:
        """All restore points of the store, oldest first, as their times sort as text."""
        items = (await self.ask("GET", f"/snapshots/store/{self.store_id}"))["items"]
        assert all(re.fullmatch("[0-9a-f]{64}", each["snapshot_id"]) for each in items)
        return [each["snapshot_id"] for each in sorted(items, key=lambda each: str(each["creation_time"]))]

    async def preview(self, rule: Json) -> Json:
        found = await self.ask("POST", f"/snapshots/store/{self.store_id}/prune/preview", rule)
        return {name: set(found[name]) for name in ("would_delete", "would_keep", "held", "floored")}

    async def run(self, rule: Json) -> Json:
        return await self.ask("POST", f"/snapshots/store/{self.store_id}/prune/run", rule)

    async def ended(self, at_id: str) -> Json:
        """The job of a run once `stopped_at` is there: absent counts as null."""

        async def over() -> Json | None:
            job: Json | None = (await self.ask("GET", f"/scheduling/scheduler/run/{at_id}")).get("job")
            return job if job and job.get("stopped_at") is not None else None

        return await eventually_async(over, DEADLINE_SECONDS) or {}

    async def back_up(self, source_id: str, *labels: str) -> str:
        """Id of the restore point that is listed as soon as the run reports its end."""
        before = await self.listed()
        body = {"type": "backup", "origin_id": source_id, "target_id": self.store_id, "config": {"labels": labels}}
        job = await self.ended((await self.ask("POST", "/scheduling/scheduler/run", body))["id"])
        assert job["status"] == "succeeded", job
        [made] = set(await self.listed()) - set(before)
        return made


@dataclass(frozen=True)
class Cellar:
    """A store and two sources."""

    api: Client
    pruner: Pruner
    sources: tuple[str, str]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def cellar(platform: Platform) -> AsyncIterator[Cellar]:
    async with log_in(platform.url, platform.credentials) as api:
        urn_id = await api.resource(await api.inventory("pruned"))
        sources = []
        for number in range(2):
            root = platform.files / f"pruned-{new_id()}"
            root.mkdir()
            (root / "letter.txt").write_text(f"Dear reader {number}\n")
            sources.append((await api.connector("source", urn_id, {"root": str(root)}))["id"])
        place = {"root": str(platform.files / f"store-{new_id()}"), "passphrase": "a passphrase"}
        store = (await api.connector("store", urn_id, place))["id"]
        await api.post(f"/connectors/{store}/stores/create")
        await api.change("PUT", api.org("/settings/retention"), {"min_versions": 0})
        yield Cellar(api, Pruner(api.http, store), (sources[0], sources[1]))


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_client_of_the_reference_finds_every_line_of_it(cellar: Cellar) -> None:
    api, pruner, (first, second) = cellar.api, cellar.pruner, cellar.sources
    old = await pruner.back_up(first, "kept-label", "weekly")
    new = await pruner.back_up(first)

    # Two restore points of today.
    assert await pruner.preview(ONE_A_DAY) == {
        "would_delete": {old}, "would_keep": {new}, "held": set(), "floored": set()
    }  # fmt: skip
    # Labels of a backup are tags, and those that are ignored take no part; unknown keys and what is null say nothing.
    locate = {"filters": {"ignore_tags": ["weekly"], "tags": None, "colour": "red"}, "group_by": None, "more": 1}
    unset = dict.fromkeys(("week", "per_week", "year", "per_year"))
    ignoring = {**ONE_A_DAY, **unset, "locate": locate, "dry": True}
    assert await pruner.preview(ignoring) == {
        "would_delete": set(), "would_keep": {new}, "held": set(), "floored": set()
    }  # fmt: skip
    # A rule that keeps all deletes nothing and starts nothing.
    everything = {"year": 100, "per_year": 1000}
    assert await pruner.preview(everything) == {
        "would_delete": set(), "would_keep": {old, new}, "held": set(), "floored": set()
    }  # fmt: skip
    done = await pruner.run(everything)
    assert (done["deleted"], done["held"], done["floored"]) == ([], [], [])
    assert "at_ids" not in done
    # Groups: per source.
    other = await pruner.back_up(second, "weekly")
    grouped = {**ONE_A_DAY, "locate": {"group_by": "dataset"}}
    assert (await pruner.preview(grouped))["would_keep"] == {new, other}
    assert (await pruner.preview(ONE_A_DAY))["would_keep"] == {other}
    # What is held, or floored, is never deleted.
    await api.change("PATCH", f"/snapshots/store/{pruner.store_id}/{old}", {"legal_hold": True})
    assert (await pruner.preview(grouped))["held"] == {old}
    refused = await pruner.run(grouped)
    assert (refused["deleted"], refused["held"]) == ([], [old])
    assert "at_ids" not in refused
    await api.change("PATCH", f"/snapshots/store/{pruner.store_id}/{old}", {"legal_hold": False})
    await api.change("PUT", api.org("/settings/retention"), {"min_versions": 2})
    assert (await pruner.preview(grouped))["floored"] == {old}
    assert (await pruner.run(grouped))["floored"] == [old]
    await api.change("PUT", api.org("/settings/retention"), {"min_versions": 0})

    # Preview equals run, the same rule right after is a no-op, and what is deleted is gone as soon as its run ends.
    foreseen = await pruner.preview(grouped)
    done = await pruner.run(grouped)
    again = await pruner.run(grouped)
    assert (set(done["deleted"]), set(done["held"]), set(done["floored"])) == (
        foreseen["would_delete"], foreseen["held"], foreseen["floored"]
    )  # fmt: skip
    assert done["deleted"] == [old]
    assert again["deleted"] == []
    assert "at_ids" not in again
    for at_id in done["at_ids"]:
        job = await pruner.ended(at_id)
        assert (job["status"], job["task"]["type"]) == ("succeeded", "rm"), job
    assert set(await pruner.listed()) == {new, other}
    entries = [each for each in await api.audited(limit=50) if each["subject"]["id"] == pruner.store_id]
    assert {"snapshot.prune", "snapshot.delete"} <= {each["action"] for each in entries}
    assert {each["outcome"] for each in entries} == {"completed"}


@pytest.mark.timeout(300)
async def test_a_prune_is_begun_whole_or_not_and_only_once(cellar: Cellar) -> None:
    api, pruner, tag = cellar.api, cellar.pruner, f"once-{new_id()}"
    old, new = [await pruner.back_up(cellar.sources[0], tag) for _ in range(2)]
    path, rule = f"/snapshots/store/{pruner.store_id}/prune/run", {**ONE_A_DAY, "locate": {"filters": {"tags": [tag]}}}

    # A run that cannot be started gives back what was claimed for it.
    store = await api.get(f"/connectors/{pruner.store_id}")
    body = {**store, "urn_id": store["resource"]["urn_id"]}
    incomplete = {**body, "fields": {name: field for name, field in store["fields"].items() if name != "root"}}
    await api.post(f"/connectors/{pruner.store_id}", incomplete)
    problem = await api.problem("POST", path, json=rule)
    assert (problem["status"], problem["code"]) == (409, "connector_incomplete")
    assert (await pruner.preview(rule))["would_delete"] == {old}
    await api.post(f"/connectors/{pruner.store_id}", body)

    # Repeated with its key it answers the same; as another request it finds nothing more.
    key = {"idempotency-key": new_id()}
    first = await api.post(path, rule, **key)
    second = await api.post(path, rule, **key)
    other = await pruner.run(rule)
    assert first == second
    assert (first["deleted"], other["deleted"], "at_ids" in other) == ([old], [], False)
    [at_id] = first["at_ids"]
    assert (await pruner.ended(at_id))["status"] == "succeeded"
    assert (new in await pruner.listed(), old in await pruner.listed()) == (True, False)

    # What a person deletes by hand is written down as well.
    by_hand = {"type": "rm", "origin_id": pruner.store_id, "config": {"snapshot_id": new}}
    job = await pruner.ended((await pruner.ask("POST", "/scheduling/scheduler/run", by_hand))["id"])
    assert job["status"] == "succeeded"
    assert new not in await pruner.listed()
    [entry] = await api.audited(action="snapshot.delete", limit=1)
    assert entry["subject"] == {"kind": "store", "id": pruner.store_id}
    assert entry["details"]["config"] == {"snapshot_id": new}
