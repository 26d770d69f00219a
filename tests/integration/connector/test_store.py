"""What a worker keeps of work that is done, and for how long."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest_asyncio
from chassis.runtime.service_runtime import ServiceRuntime, open_service_runtime
from connector.domain.work import RETENTION, TASK, SlotGroup
from connector.queue.closed_work import remove_expired_work
from connector.queue.intake import work_of
from connector.store.mongo import open_store
from connector.store.ports import KnownApp
from contracts.values import OrganizationId

from tests.support.environment import Corner
from tests.unit.connector.parts import ORG, an_app, held, task_request


@pytest_asyncio.fixture(loop_scope="session")
async def runtime(fresh_corner: Corner) -> AsyncIterator[ServiceRuntime]:
    async with open_service_runtime(fresh_corner.settings(), "connector") as opened:
        yield opened


async def test_work_that_was_done_long_ago_is_forgotten_with_all_that_belongs_to_it(runtime: ServiceRuntime) -> None:
    store = await open_store(runtime.database, runtime.outbox)
    old, recent, waiting = (
        work_of(task_request(job_id), kind=TASK, work_id=job_id, pool="default")
        for job_id in ("old", "recent", "waiting")
    )
    for work in (old, recent, waiting):
        await store.work.add(work, group=SlotGroup.TASKS)
        await store.work.cancel(ORG, work.id)
    for work in (old, recent):
        await (await held(store, work)).settle()
    await closed_on(runtime, "old", (datetime.now(UTC) - RETENTION - timedelta(days=2)).date())

    assert await remove_expired_work(store) == 1
    assert await remove_expired_work(store) == 0

    assert await store.work.get(ORG, "old") is None
    assert not await store.work.is_cancelled(ORG, "old")
    assert await store.attempts_at(ORG, "old") == []
    assert await store.work.get(ORG, "recent") == recent
    assert await store.work.is_cancelled(ORG, "recent")
    assert len(await store.attempts_at(ORG, "recent")) == 1
    assert [work.id for work in await store.work.waiting(pool="default", group=SlotGroup.TASKS)] == ["waiting"]


async def test_the_stores_of_all_organizations_are_found_until_they_are_removed(runtime: ServiceRuntime) -> None:
    store, other = await open_store(runtime.database, runtime.outbox), OrganizationId("other")
    for org, app in ((ORG, an_app("a")), (other, an_app("b")), (ORG, an_app("c", kind="source")), (ORG, an_app("d"))):
        await store.apps.save(await store.apps.load(org, app.id), KnownApp(revision=1, app=app))
    await store.apps.save(await store.apps.load(ORG, "d"), KnownApp(revision=2))

    assert sorted((org, app.id) for org, app in await store.stores.all()) == [(ORG, "a"), (other, "b")]


async def test_the_repository_that_was_noted_last_is_a_store_s_own(runtime: ServiceRuntime) -> None:
    store, other = await open_store(runtime.database, runtime.outbox), OrganizationId("other")
    assert await store.repositories.of(ORG, "store") is None
    for repository_id in ("first", "first", "second", "first"):
        await store.repositories.note(ORG, "store", repository_id)
        assert await store.repositories.of(ORG, "store") == repository_id
    assert await store.repositories.of(other, "store") is None
    await asyncio.gather(*(store.repositories.note(other, "store", "at once") for _ in range(8)))
    assert await runtime.database["repositories"].count_documents({"org": other}) == 1


async def closed_on(runtime: ServiceRuntime, work_id: str, day: date) -> None:
    """Have work look as if it was closed on a day."""
    await runtime.database["work"].update_one({"_id": work_id}, {"$set": {"closed": day.isoformat()}})
