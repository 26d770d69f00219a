"""Workers that die or stand still while they delete: the store is whole, and holds exactly what it should."""

import asyncio
import json
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
class Case:
    """A deletion that is disturbed, and what has to come of it."""

    ground: WorkerFixture
    type_: TaskType
    store: App
    points: tuple[str, ...]
    """Oldest first."""

    async def request(self) -> TaskRequested:
        options = {"prune": {"per_year": 2}, "rm": {"snapshot_ids": self.points[1:4]}, "maintenance": {}}[self.type_]
        return await self.ground.request(self.store, None, type_=self.type_, **options)  # type: ignore[arg-type]

    @property
    def expected(self) -> set[str]:
        """What is left afterwards."""
        gone = {"prune": self.points[:-2], "rm": self.points[1:4], "maintenance": ()}[self.type_]
        return set(self.points) - set(gone)

    async def require_right(self, request: TaskRequested) -> None:
        """The store is whole, holds what it should, and the index and everybody else was told just that."""
        assert left_in(self.ground, self.store) == self.expected, self.ground.published(request, TaskSucceeded)
        require_sound(self.ground, self.store)
        await are_listed(self.ground, self.store, self.expected)
        heard = [each.data for each in self.ground.asker.heard(RestorePointRemoved)]
        told = {each.snapshot_id for each in heard if each.store_id == self.store.id}
        assert told == set(self.points) - self.expected
        assert len(self.ground.published(request, TaskSucceeded)) == 1


@dataclass(frozen=True)
class Template:
    """A store with restore points, to be copied: unused data is in it already."""

    ground: WorkerFixture
    place: Path

    async def case(self, type_: TaskType, name: str) -> Case:
        """A copy as a store of its own, whose restore points have other ids, once the index knows it."""
        root = self.ground.files("stores") / name
        shutil.copytree(self.place, root)
        store = await self.ground.assign("store", root)
        by_hand(self.ground, store, "tag", "--add", name)
        listed = json.loads(by_hand(self.ground, store, "snapshots", "--json"))
        points = tuple(each["id"] for each in sorted(listed, key=lambda each: each["time"]))
        refresh = RefreshStore(organization_id=make.ORG, app_id=store.id, app=ref(store))
        assert (await self.ground.asker.ask(refresh, deadline_seconds=60)).accepted
        await are_listed(self.ground, store, set(points))
        return Case(self.ground, type_, store, points)


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
        yield Template(ground, place_of(store))


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
        case = await template.case(type_, f"{type_}-{number}")
        request = await case.request()
        await disturbed(template, request, seconds)
        first.kill()
    with ground.worker(f"second-{number}") as second:
        await ready(second)
        await ground.ending(request, TaskSucceeded, deadline_seconds=120)
        await case.require_right(request)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("pass_", [1, 2])
async def test_deletions_whose_worker_stands_still_are_taken_over(template: Template, pass_: int) -> None:
    ground, chance = template.ground, random.Random(SEED + pass_)
    types: tuple[TaskType, ...] = ("prune", "prune", "prune", "rm", "maintenance")
    with ground.worker(f"stopped-{pass_}", slots=8) as stopped:
        await ready(stopped)
        cases = [await template.case(type_, f"stopped-{pass_}-{number}") for number, type_ in enumerate(types)]
        requests = []
        for case in cases:
            requests.append(await case.request())
            await asyncio.sleep(chance.uniform(0, 1.5))
        await disturbed(template, requests[0], chance.uniform(0, LONGEST_SECONDS))
        os.kill(stopped.process.pid, signal.SIGSTOP)
        with ground.worker(f"heir-{pass_}", slots=8) as heir:
            await ready(heir)
            await asyncio.sleep(STOPPED_SECONDS)
            os.kill(stopped.process.pid, signal.SIGCONT)
            for request in requests:
                await ground.ending(request, TaskSucceeded, deadline_seconds=180)
            assert stopped.stop() == 0
            for case, request in zip(cases, requests, strict=True):
                await case.require_right(request)
