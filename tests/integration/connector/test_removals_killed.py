"""Workers that die or stand still while they delete: the store is whole, and holds exactly what it should."""

import asyncio
import os
import random
import shutil
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from contracts.messages.assignment import App
from contracts.messages.connector.stores import RefreshStore, RestorePointRemoved
from contracts.messages.connector.task_events import TaskStarted, TaskSucceeded
from contracts.messages.scheduler import TaskRequested
from contracts.task_types.base import TaskType

from tests.integration.connector.removing import are_listed, by_hand, left_in, place_of, points_in, require_sound
from tests.integration.connector.worker_fixture import WorkerFixture, open_ground, ready, ref, write_tree
from tests.support import builders as make
from tests.support.environment import Corner

pytestmark = pytest.mark.long
SEED = int(os.environ.get("CAIRN_FUZZ_SEED", "46"))
POINTS = 8
LONGEST_SECONDS = 8.0
"""About how long a worker takes over a deletion that nobody disturbs."""
STOPPED_SECONDS = 30


@dataclass(frozen=True)
class Template:
    """A store with restore points, to be copied: unused data is in it already."""

    ground: WorkerFixture
    place: Path
    points: tuple[str, ...]
    """Oldest first."""

    async def store(self, name: str) -> App:
        """A copy as a store of its own, once the index knows it."""
        root = self.ground.files("stores") / name
        shutil.copytree(self.place, root)
        store = await self.ground.assign("store", root)
        refresh = RefreshStore(organization_id=make.ORG, app_id=store.id, app=ref(store))
        assert (await self.ground.asker.ask(refresh, deadline_seconds=60)).accepted
        await are_listed(self.ground, store, set(self.points))
        return store

    async def request(self, type_: TaskType, store: App) -> TaskRequested:
        options = {"prune": {"per_year": 2}, "rm": {"snapshot_ids": self.points[1:4]}, "maintenance": {}}[type_]
        return await self.ground.request(store, None, type_=type_, **options)  # type: ignore[arg-type]

    def expected(self, type_: TaskType) -> set[str]:
        """What is left afterwards."""
        gone = {"prune": self.points[:-2], "rm": self.points[1:4], "maintenance": ()}[type_]
        return set(self.points) - set(gone)

    async def require_right(self, type_: TaskType, store: App, request: TaskRequested) -> None:
        """The store is whole, holds what it should, and the index and everybody else was told just that."""
        assert left_in(self.ground, store) == self.expected(type_)
        require_sound(self.ground, store)
        await are_listed(self.ground, store, self.expected(type_))
        told = {
            each.data.snapshot_id
            for each in self.ground.asker.heard(RestorePointRemoved)
            if each.data.store_id == store.id
        }
        assert told == set(self.points) - self.expected(type_)
        assert len(self.ground.published(request, TaskSucceeded)) == 1


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def template(corner: Corner, tmp_path_factory: pytest.TempPathFactory, restic: Path) -> AsyncIterator[Template]:
    async with open_ground(corner, tmp_path_factory.mktemp("killed"), restic) as ground:
        source = await ground.assign("source", write_tree(ground.files("sources", "killed"), {"a": b"a"}))
        store = await ground.store_made_by_hand("template")
        with ground.worker("maker") as maker:
            await ready(maker)
            points = await points_in(ground, source, store, POINTS + 1)
            assert maker.stop() == 0
        by_hand(ground, store, "forget", points[0])
        yield Template(ground, place_of(store), tuple(points[1:]))


def moments() -> list[tuple[TaskType, int, float]]:
    """Which task is disturbed, and how long after it began."""
    chance = random.Random(SEED)
    types: list[TaskType] = [*["prune"] * 20, *["rm"] * 3, *["maintenance"] * 3]  # type: ignore[list-item]
    return [(type_, number, chance.uniform(0, LONGEST_SECONDS)) for number, type_ in enumerate(types)]


async def disturbed(template: Template, request: TaskRequested, seconds: float) -> None:
    """Wait until a task has run for so long, or has ended."""
    ear = template.ground.asker.ear
    await ear.message(TaskStarted, lambda data: data.job_id == request.job_id, deadline_seconds=60)
    deadline = time.monotonic() + seconds
    # The moment is what is tested here, so it is time that is waited for.
    while time.monotonic() < deadline and not template.ground.published(request, TaskSucceeded):
        await asyncio.sleep(0.01)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("type_", "number", "seconds"), moments())
async def test_a_deletion_whose_worker_is_killed_is_ended_by_the_next(
    template: Template, type_: TaskType, number: int, seconds: float
) -> None:
    ground = template.ground
    with ground.worker(f"first-{number}") as first:
        await ready(first)
        store = await template.store(f"{type_}-{number}")
        request = await template.request(type_, store)
        await disturbed(template, request, seconds)
        first.kill()
    with ground.worker(f"second-{number}") as second:
        await ready(second)
        await ground.ending(request, TaskSucceeded, deadline_seconds=120)
        await template.require_right(type_, store, request)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("turn", [1, 2])
async def test_deletions_whose_worker_stands_still_are_taken_over(template: Template, turn: int) -> None:
    ground, chance = template.ground, random.Random(SEED + turn)
    types: tuple[TaskType, ...] = ("prune", "prune", "prune", "rm", "maintenance")
    with ground.worker(f"stopped-{turn}", slots=8) as stopped:
        await ready(stopped)
        stores = [await template.store(f"stopped-{turn}-{number}") for number in range(len(types))]
        requests = []
        for type_, store in zip(types, stores, strict=True):
            requests.append(await template.request(type_, store))
            await asyncio.sleep(chance.uniform(0, 1.5))
        await disturbed(template, requests[0], chance.uniform(0, LONGEST_SECONDS))
        os.kill(stopped.process.pid, signal.SIGSTOP)
        with ground.worker(f"heir-{turn}", slots=8) as heir:
            await ready(heir)
            await asyncio.sleep(STOPPED_SECONDS)
            os.kill(stopped.process.pid, signal.SIGCONT)
            for request in requests:
                await ground.ending(request, TaskSucceeded, deadline_seconds=180)
            assert stopped.stop() == 0
            for type_, store, request in zip(types, stores, requests, strict=True):
                await template.require_right(type_, store, request)
