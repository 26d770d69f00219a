"""Holds, the floor and claims on real servers: what the API tells, what is announced, what a death leaves."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from chassis.ids import new_id
from chassis.runtime.service_runtime import open_service_runtime
from contracts.messages.protection import LegalHoldSet
from contracts.messages.restore_index import RestorePoint
from contracts.topics import CONNECTOR_EVENTS, RESTORE_INDEX_COMMANDS, RESTORE_INDEX_EVENTS
from contracts.values import AppId, JobId
from restore_index.settings import Settings
from restore_index.store import open_store
from restore_index.usecases import indexing, protection

from tests.integration.restore_index.conftest import Door
from tests.support.builders import wrap
from tests.support.door import Asker, open_asker
from tests.support.environment import Corner
from tests.support.kafka import Wire
from tests.support.killed_services import Death, assert_announced_once, dying, open_outsider, serving
from tests.support.waiting import eventually_async
from tests.unit.restore_index.protecting import a_point_of, claim, job_changed, lift_hold, set_floor, set_hold
from tests.unit.restore_index.trees import created, new_store, removed


@pytest_asyncio.fixture(loop_scope="session")
async def asker(door: Door, wire: Wire) -> AsyncIterator[Asker]:
    """Talks to the restore index."""
    async with open_asker(wire, RESTORE_INDEX_EVENTS, RESTORE_INDEX_COMMANDS) as opened:
        yield opened


async def have(asker: Asker, door: Door, *points: RestorePoint) -> None:
    """Let a store have restore points."""
    for point in points:
        await asker.wire.publish(created(point))

    async def are_there() -> bool:
        found = (await door.get(f"/internal/restore-points?store_id={points[0].store_id}")).json()["items"]
        return len(found) == len(points)

    await eventually_async(are_there, 20)


async def preview(door: Door, store_id: AppId) -> dict[str, str]:
    answer = await door.post(f"/internal/stores/{store_id}/prune-preview", {"day": 1, "per_day": 1})
    return {name: "".join(each[0] for each in ids) for name, ids in answer.json().items() if ids}


async def test_holds_claims_and_the_floor_decide_what_may_be_deleted(door: Door, asker: Asker) -> None:
    store_id, job_id = new_store(), JobId(new_id())
    a, b, c = (a_point_of(digit, hours=hours, store_id=store_id) for digit, hours in (("a", 3), ("b", 2), ("c", 1)))
    await have(asker, door, a, b, c)

    assert (await asker.ask(set_hold("b", store_id=store_id, reason="Case 4711"))).accepted
    assert await preview(door, store_id) == {"would_keep": "c", "would_delete": "a", "held": "b"}
    listed = (await door.get(f"/internal/restore-points?store_id={store_id}")).json()["items"]
    assert [(each["legal_hold"] or {}).get("reason") for each in listed] == [None, "Case 4711", None]

    outcome = await asker.ask(claim("a", "b", store_id=store_id, job_id=job_id))
    decided = (await door.get(f"/internal/stores/{store_id}/deletions/{job_id}")).json()
    assert outcome.result["deletable"] == 1
    assert (decided["deletable"], decided["held"], decided["gone"]) == ([a.snapshot_id], [b.snapshot_id], [])
    assert (await asker.rejection(set_hold("a", store_id=store_id))).code == "restore_point_being_deleted"
    assert await preview(door, store_id) == {"would_keep": "c", "held": "b", "being_deleted": "a"}

    await asker.wire.publish(removed(a))

    async def is_gone() -> bool:
        answer = await door.get(f"/internal/stores/{store_id}/deletions/{job_id}")
        return bool(answer.json()["gone"] == [a.snapshot_id])

    await eventually_async(is_gone, 15)
    assert (await asker.ask(lift_hold("b", store_id=store_id))).accepted
    assert await preview(door, store_id) == {"would_keep": "c", "would_delete": "b"}


async def test_the_latest_of_several_sources_are_told_in_one_answer(door: Door, asker: Asker) -> None:
    store_id, one, two = new_store(), new_id(), new_id()
    sources = {"a": one, "b": two, "c": one, "d": two}
    points = {
        digit: a_point_of(digit, hours=hours, store_id=store_id).model_copy(update={"source_id": source})
        for hours, (digit, source) in enumerate(sources.items())
    }
    await have(asker, door, *points.values())
    assert (await asker.ask(set_hold("b", store_id=store_id))).accepted

    async def latest(*source_ids: str, limit: int = 3) -> list[dict[str, Any]]:
        question = {"source_ids": source_ids, "limit": limit}
        answer = await door.post("/internal/restore-points/latest", question)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    found = await latest(one, two)
    assert [each["snapshot_id"][0] for each in found] == ["a", "b", "c"]
    assert [each["legal_hold"] is not None for each in found] == [False, True, False]
    assert [each["snapshot_id"][0] for each in await latest(two, "nobody")] == ["b", "d"]
    assert await latest() == []
    for wrong in ({"source_ids": [one], "limit": 0}, {"source_ids": ["x"] * 501, "limit": 1}, {"limit": 1}):
        assert (await door.post("/internal/restore-points/latest", wrong)).status_code == 400
    assert (await asker.ask(lift_hold("b", store_id=store_id))).accepted


async def test_the_floor_of_an_organization_is_kept(door: Door, asker: Asker) -> None:
    store_id = new_store()
    await have(asker, door, *(a_point_of(d, hours=h, store_id=store_id) for d, h in (("d", 3), ("e", 2), ("f", 1))))

    assert (await asker.ask(set_floor(2))).accepted
    assert (await door.get("/internal/retention-floor")).json() == {"min_versions": 2}
    assert await preview(door, store_id) == {"would_keep": "f", "would_delete": "d", "floored": "e"}

    assert (await asker.ask(set_floor(0))).accepted
    assert await preview(door, store_id) == {"would_keep": "f", "would_delete": "ed"}


async def test_a_second_delivery_changes_nothing(door: Door, asker: Asker) -> None:
    store_id = new_store()
    await have(asker, door, a_point_of("1", store_id=store_id))
    hold, taken = wrap(set_hold("1", store_id=store_id)), wrap(claim("1", store_id=store_id, job_id=new_id()))

    first = [await asker.ask(each) for each in (hold, taken)]
    asker.ear.heard.clear()
    again = [await asker.ask(each) for each in (hold, taken)]

    assert again == first
    assert not asker.heard(LegalHoldSet)


async def test_a_claim_ends_after_a_job_that_failed(door: Door, asker: Asker) -> None:
    store_id, job_id = new_store(), JobId(new_id())
    await have(asker, door, a_point_of("2", store_id=store_id))
    await asker.ask(claim("2", store_id=store_id, job_id=job_id))

    await asker.wire.publish(job_changed("failed", job_id=job_id, origin_id=store_id))

    async def is_over() -> bool:
        return (await door.get(f"/internal/stores/{store_id}/deletions/{job_id}")).status_code == 404

    await eventually_async(is_over, 15)


async def test_what_was_decided_is_announced_after_a_death_before_publishing(
    fresh_corner: Corner, tmp_path: Path
) -> None:
    command = wrap(set_hold("a"))
    topics = (RESTORE_INDEX_COMMANDS, CONNECTOR_EVENTS)
    settings = fresh_corner.settings(Settings)
    async with open_outsider(fresh_corner, topics=topics, events=RESTORE_INDEX_EVENTS) as outsider:
        async with open_service_runtime(settings, "restore-index") as runtime:
            store = await open_store(dying(runtime), settings)
            await indexing.record_created(store, wrap(created(a_point_of("a"))))
            with pytest.raises(Death):
                await protection.set_hold(store, command)

        with serving(fresh_corner, "restore_index", tmp_path / "log"):
            await assert_announced_once(outsider, command, LegalHoldSet)
            refused = await outsider.ask(claim("a"))
    assert refused.result["held"] == 1
