"""What may be deleted: previews of rules, legal holds, the floor of an organization, and what restore points tell."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from chassis.ids import new_id

from tests.integration.gateway.client import Client, Json, log_in
from tests.integration.gateway.conftest import Platform
from tests.integration.gateway.members import as_member

TODAY = {"day": 1, "per_day": 1}


@dataclass(frozen=True)
class Shelf:
    """A store with three restore points of a source, the oldest first."""

    api: Client
    source: str
    store: str
    points: Sequence[str]

    @property
    def path(self) -> str:
        return f"/snapshots/store/{self.store}"

    async def preview(self, **rule: object) -> Json:
        """What a rule would do, as positions in `points`."""
        found: Json = await self.api.post(f"{self.path}/prune/preview", rule or TODAY)
        return {name: [self.points.index(each) for each in ids] for name, ids in found.items() if ids}

    async def patch(self, path: str, **body: object) -> Json:
        """What the restore point is like after a change."""
        await self.api.change("PATCH", path, body)
        found: Json = await self.api.get(path)
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shelf(platform: Platform) -> AsyncIterator[Shelf]:
    """Made once: what a test changes it puts back."""
    async with log_in(platform.url, platform.credentials) as api:
        yield await fill(platform, api)


async def fill(platform: Platform, api: Client) -> Shelf:
    """A store with three restore points."""
    root = platform.files / f"protected-{new_id()}"
    root.mkdir()
    (root / "letter.txt").write_text("Dear reader\n")
    urn_id = await api.resource(await api.inventory("protected"))
    about = {"environment": "production", "data_classes": ["pii", "mail"]}
    source = (await api.connector("source", urn_id, {"root": str(root)}, name="post", **about))["id"]
    place = {"root": str(platform.files / f"store-{new_id()}"), "passphrase": "a passphrase"}
    store = (await api.connector("store", urn_id, place))["id"]
    await api.post(f"/connectors/{store}/stores/create")
    for labels in ([], ["weekly"], ["weekly", "pinned"]):
        body = {"type": "backup", "origin_id": source, "target_id": store, "config": {"labels": labels}}
        job = await api.finished((await api.post("/scheduling/scheduler/run", body))["id"])
        assert job["status"] == "succeeded", job
    listed = (await api.get(f"/snapshots/store/{store}"))["items"]
    return Shelf(api, source, store, [each["snapshot_id"] for each in reversed(listed)])


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def no_floor(api: Client) -> AsyncIterator[None]:
    """The organization has no floor before and after a test."""
    await set_floor(api, 0)
    yield
    await set_floor(api, 0)


async def set_floor(api: Client, number: int) -> None:
    await api.change("PUT", api.org("/settings/retention"), {"min_versions": number})


async def test_a_rule_is_previewed(shelf: Shelf) -> None:
    assert await shelf.preview() == {"would_keep": [2], "would_delete": [1, 0]}
    assert await shelf.preview(year=100, per_year=1000) == {"would_keep": [2, 1, 0]}
    assert await shelf.preview(per_day=2) == {"would_keep": [2, 1], "would_delete": [0]}


@pytest.mark.parametrize(
    ("locate", "found"),
    [
        ({"filters": {"tags": ["weekly"]}}, {"would_keep": [2], "would_delete": [1]}),
        ({"filters": {"ignore_tags": ["pinned"]}}, {"would_keep": [1], "would_delete": [0]}),
        ({"filters": {"environment": "production", "data_classes": ["mail"]}, "group_by": "tag"},
         {"would_keep": [2, 0], "would_delete": [1]}),
        ({"filters": {"name": "post", "types": ["fs"], "category": "file-storage"}, "group_by": "dataset"},
         {"would_keep": [2], "would_delete": [1, 0]}),
        ({"filters": {"origins": ["nas.example.com"], "since": "1d", "latest": True}}, {"would_keep": [2]}),
        ({"filters": {"name": "another"}}, {}),
        ({"filters": {"before": "1d"}}, {}),
    ],
)  # fmt: skip
async def test_filters_and_groups_say_what_takes_part(shelf: Shelf, locate: Json, found: Json) -> None:
    assert await shelf.preview(**TODAY, locate=locate) == found


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"day": -1}, "day"),
        ({"per_week": "2"}, "per_week"),
        ({"day": 1, "locate": {"group_by": "colour"}}, "locate.group_by"),
        ({"day": 1, "locate": {"filters": {"since": "yesterday"}}}, "locate.filters.since"),
        ({"day": 1, "locate": {"periods": {"monday": {"keep": 2}}}}, "locate.periods"),
    ],
)
async def test_a_bad_rule_is_refused_by_the_name_of_its_field(shelf: Shelf, rule: Json, field: str) -> None:
    for verb in ("preview", "run"):
        problem = await shelf.api.problem("POST", f"{shelf.path}/prune/{verb}", json=rule)

        assert (problem["status"], [each["field"] for each in problem["fields"]]) == (400, [field])


async def test_a_rule_that_says_nothing_is_refused(shelf: Shelf) -> None:
    for verb in ("preview", "run"):
        problem = await shelf.api.problem("POST", f"{shelf.path}/prune/{verb}", json={"day": 0})

        assert (problem["status"], problem["code"]) == (400, "rule_empty")


async def test_only_stores_are_pruned(shelf: Shelf) -> None:
    problem = await shelf.api.problem("POST", f"/snapshots/store/{shelf.source}/prune/preview", json=TODAY)
    assert (problem["status"], problem["code"]) == (409, "not_a_store")
    problem = await shelf.api.problem("POST", "/snapshots/store/nothing/prune/run", json=TODAY)
    assert problem["status"] == 404


async def test_a_hold_in_a_store_is_set_shown_audited_and_lifted(shelf: Shelf) -> None:
    point, until = shelf.points[1], datetime.now(UTC) + timedelta(days=1)

    held = await shelf.patch(
        f"{shelf.path}/{point}", legal_hold=True, reason="Case 4711", until=until.isoformat(timespec="milliseconds")
    )

    assert held["legal_hold"]
    assert held["hold"]["reason"] == "Case 4711"
    assert held["hold"]["until"] == until.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert await shelf.preview() == {"would_keep": [2], "would_delete": [0], "held": [1]}
    listed = (await shelf.api.get(shelf.path))["items"]
    assert [each["legal_hold"] for each in listed] == [False, True, False]

    free = await shelf.patch(f"{shelf.path}/{point}", legal_hold=False)

    assert (free["legal_hold"], free["hold"]) == (False, None)
    assert await shelf.preview() == {"would_keep": [2], "would_delete": [1, 0]}
    lifted, was_set = await shelf.api.audited(limit=2)
    assert [each["action"] for each in (was_set, lifted)] == ["legal-hold.set", "legal-hold.lift"]
    assert {each["outcome"] for each in (was_set, lifted)} == {"completed"}
    assert was_set["subject"] == {"kind": "snapshot", "id": point}
    assert was_set["details"]["reason"] == "Case 4711"


async def test_a_store_with_a_hold_is_not_removed(shelf: Shelf) -> None:
    await shelf.patch(f"{shelf.path}/{shelf.points[0]}", legal_hold=True)

    problem = await shelf.api.problem("DELETE", f"/connectors/{shelf.store}")

    assert (problem["status"], problem["code"]) == (409, "store_has_holds")
    assert (await shelf.api.get(f"/connectors/{shelf.store}"))["id"] == shelf.store
    await shelf.patch(f"{shelf.path}/{shelf.points[0]}", legal_hold=False)


async def test_a_hold_in_every_store_is_set_and_lifted(shelf: Shelf) -> None:
    path = f"/snapshots/{shelf.points[0]}"

    held = await shelf.patch(path, legal_hold=True)
    assert [each["legal_hold"] for each in held["stores"]] == [True]
    assert await shelf.preview() == {"would_keep": [2], "would_delete": [1], "held": [0]}

    free = await shelf.patch(path, legal_hold=False)
    assert [each["legal_hold"] for each in free["stores"]] == [False]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"legal_hold": "yes"}, 400),
        ({"legal_hold": True, "until": "2020-01-01T00:00:00Z"}, 409),
        ({"legal_hold": True, "until": "0001-01-01T00:00:00+14:00"}, 409),
        ({"legal_hold": True, "until": "soon"}, 400),
        ({"legal_hold": True, "reason": "x" * 1001}, 400),
    ],
)
async def test_a_hold_that_cannot_be_is_refused(shelf: Shelf, body: Json, status: int) -> None:
    for path in (f"/snapshots/{shelf.points[0]}", f"{shelf.path}/{shelf.points[0]}"):
        assert (await shelf.api.problem("PATCH", path, json=body))["status"] == status
    assert await shelf.preview() == {"would_keep": [2], "would_delete": [1, 0]}


async def test_what_is_not_there_cannot_be_held(shelf: Shelf) -> None:
    for path in ("/snapshots/" + "0" * 64, f"{shelf.path}/{'0' * 64}", f"/snapshots/store/nothing/{shelf.points[0]}"):
        assert (await shelf.api.problem("PATCH", path, json={"legal_hold": True}))["status"] == 404


async def test_the_floor_keeps_the_newest_and_is_audited(shelf: Shelf) -> None:
    await set_floor(shelf.api, 2)

    assert await shelf.api.get(shelf.api.org("/settings/retention")) == {"min_versions": 2}
    assert await shelf.preview() == {"would_keep": [2], "would_delete": [0], "floored": [1]}
    [entry] = await shelf.api.audited(limit=1)
    assert (entry["action"], entry["details"]["min_versions"]) == ("retention.change", 2)


@pytest.mark.parametrize("body", [{}, {"min_versions": -1}, {"min_versions": "2"}, {"min_versions": 1.5}])
async def test_a_floor_that_cannot_be_is_refused(shelf: Shelf, body: Json) -> None:
    assert (await shelf.api.problem("PUT", shelf.api.org("/settings/retention"), json=body))["status"] == 400


async def test_restore_points_tell_where_they_come_from(shelf: Shelf) -> None:
    newest = shelf.points[-1]

    in_store = await shelf.api.get(f"{shelf.path}/{newest}")

    facts = {
        "name": "post",
        "category": "file-storage",
        "dataset": shelf.source,
        "origin": "nas.example.com",
        "type": "fs",
        "environment": "production",
        "data_classes": ["pii", "mail"],
        "tags": ["weekly", "pinned"],
        "being_deleted": False,
    }
    assert {name: in_store[name] for name in facts} == facts
    assert Path(in_store["root"]).name.startswith("protected-")
    assert (in_store["size"], in_store["items"]) == (len("Dear reader\n"), 1)
    of_source = await shelf.api.get(f"/snapshots/source/{shelf.source}")
    assert [each["snapshot_id"] for each in of_source["items"]] == list(reversed(shelf.points))
    assert {each["store_id"] for item in of_source["items"] for each in item["stores"]} == {shelf.store}
    assert await shelf.api.get(f"/snapshots/source/{shelf.source}/{newest}") == of_source["items"][0]
    assert await shelf.api.get(f"/snapshots/{newest}") == of_source["items"][0]
    for path in (f"/snapshots/source/{shelf.store}/{newest}", "/snapshots/source/nothing", "/snapshots/" + "0" * 64):
        assert (await shelf.api.problem("GET", path))["status"] == 404


async def test_who_may_not_define_sets_no_hold_and_no_floor(shelf: Shelf, platform: Platform) -> None:
    operator = await as_member(platform, shelf.api, "operator")
    assert (await operator.post(f"{shelf.path}/prune/preview", TODAY))["would_delete"]
    for method, path, body in (
        ("PATCH", f"{shelf.path}/{shelf.points[0]}", {"legal_hold": True}),
        ("PATCH", f"/snapshots/{shelf.points[0]}", {"legal_hold": True}),
        ("PUT", operator.org("/settings/retention"), {"min_versions": 1}),
    ):
        assert (await operator.problem(method, path, json=body))["status"] == 403
    auditor = await as_member(platform, shelf.api, "auditor")
    assert (await auditor.problem("POST", f"{shelf.path}/prune/run", json=TODAY))["status"] == 403
