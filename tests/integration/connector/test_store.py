"""What a worker keeps of work that is done, and for how long."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest_asyncio
from chassis.foundation import Foundation, open_foundation
from connector.domain import KEPT, Kind, Lane
from connector.store import open_store
from connector.usecases.forgetting import forget_old_work
from connector.usecases.queueing import work_of

from tests.support.environment import Corner
from tests.unit.connector_worker.parts import ORG, held, task_request


@pytest_asyncio.fixture(loop_scope="session")
async def foundation(fresh_corner: Corner) -> AsyncIterator[Foundation]:
    async with open_foundation(fresh_corner.settings(), "connector") as opened:
        yield opened


async def test_work_that_was_done_long_ago_is_forgotten_with_all_that_belongs_to_it(foundation: Foundation) -> None:
    store = await open_store(foundation.database, foundation.outbox)
    old, recent, waiting = (
        work_of(task_request(job_id), kind=Kind.TASK, work_id=job_id, pool="default")
        for job_id in ("old", "recent", "waiting")
    )
    for work in (old, recent, waiting):
        await store.work.add(work)
        await store.work.cancel(ORG, work.id)
    for work in (old, recent):
        await (await held(store, work)).settle()
    await closed_on(foundation, "old", (datetime.now(UTC) - KEPT - timedelta(days=2)).date())

    assert await forget_old_work(store) == 1
    assert await forget_old_work(store) == 0

    assert await store.work.get(ORG, "old") is None
    assert not await store.work.is_cancelled(ORG, "old")
    assert await store.attempts_at(ORG, "old") == []
    assert await store.work.get(ORG, "recent") == recent
    assert await store.work.is_cancelled(ORG, "recent")
    assert len(await store.attempts_at(ORG, "recent")) == 1
    assert [work.id for work in await store.work.waiting(pool="default", lane=Lane.TASKS)] == ["waiting"]


async def closed_on(foundation: Foundation, work_id: str, day: date) -> None:
    """Have work look as if it was closed on a day."""
    await foundation.database["work"].update_one({"_id": work_id}, {"$set": {"closed": day.isoformat()}})
