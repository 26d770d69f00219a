"""Whose jobs a worker with one slot begins: by priority, and of each organization."""

import pytest
from chassis.ids import new_id
from chassis.persistence.mongo import open_database
from contracts.messages.assignment import App, AppAssigned, AppKind
from contracts.messages.connector.task_events import TaskCancelled, TaskProgressed, TaskStarted, TaskSucceeded
from contracts.messages.scheduler import TaskRequested
from contracts.tasks import Task
from contracts.values import AppId, JobId, OrganizationId, RunId

from tests.integration.connector.test_workers import Gate
from tests.integration.connector.worker_fixture import PASSPHRASE, WorkerFixture, ready, ref, write_tree
from tests.support import builders as make
from tests.support.waiting import eventually_async

OTHER = OrganizationId("other")


@pytest.fixture
def ground(fresh_ground: WorkerFixture) -> WorkerFixture:
    return fresh_ground


@pytest.fixture
def gate(ground: WorkerFixture) -> Gate:
    return Gate(ground.files("gate"), ground.restic)


async def assign_elsewhere(ground: WorkerFixture, kind: AppKind, like: App) -> App:
    """An app of another organization at the same place."""
    fields = like.fields | {"passphrase": like.fields["root"].model_copy(update={"value": PASSPHRASE})}
    app = like.model_copy(update={"id": AppId(new_id()), "kind": kind, "revision": 1, "fields": fields})
    await ground.asker.wire.publish(AppAssigned(organization_id=OTHER, app_id=app.id, app=app))
    return app


async def ask(
    ground: WorkerFixture, source: App, store: App, *, org: OrganizationId = make.ORG, priority: int = 50
) -> TaskRequested:
    task = Task(type="backup", origin=ref(source), target=ref(store))
    ids = {"organization_id": org, "job_id": JobId(new_id()), "run_id": RunId(new_id())}
    request = TaskRequested(**ids, task=task, priority=priority)
    await ground.asker.wire.publish(request)
    return request


async def queued(ground: WorkerFixture, *requests: TaskRequested) -> None:
    """Returns when workers know of these jobs."""
    ids = [request.job_id for request in requests]
    async with open_database(ground.corner.settings(), "connector") as database:

        async def all_known() -> bool:
            return await database["work"].count_documents({"_id": {"$in": ids}}) == len(ids)

        await eventually_async(all_known, 30)


def begun(ground: WorkerFixture) -> list[JobId]:
    """The jobs that were begun, in that order."""
    # By the worker's clock: events of two jobs may be heard in another order.
    started = sorted(ground.asker.heard(TaskStarted), key=lambda event: event.data.at)
    return [event.data.job_id for event in started]


async def test_the_urgent_goes_first_and_no_organization_waits_for_all_jobs_of_another(
    ground: WorkerFixture, gate: Gate
) -> None:
    source = await ground.assign("source", write_tree(ground.files("source"), {"a": b"a"}))
    store = await ground.store_made_by_hand()
    mine = await assign_elsewhere(ground, "source", source), await assign_elsewhere(ground, "store", store)
    with ground.worker("only", restic=gate.script, slots=1) as only:
        await ready(only)
        running = await ask(ground, source, store)
        await gate.arrived(1)
        usual = [await ask(ground, source, store) for _ in range(2)]
        urgent = await ask(ground, source, store, priority=90)
        other = await ask(ground, *mine, org=OTHER)
        await gate.arrived(2)
        # Their messages come in any order.
        await queued(ground, *usual, urgent)
        for number in range(1, 6):
            gate.open(number)
        for request in (running, *usual, urgent, other):
            await ground.ending(request, TaskSucceeded)
    assert begun(ground) == [each.job_id for each in (running, other, urgent, *usual)]


async def test_a_store_is_reached_by_as_many_jobs_as_it_has_slots(ground: WorkerFixture, gate: Gate) -> None:
    source = await ground.assign("source", write_tree(ground.files("source"), {"a": b"a"}))
    full, free = await ground.store_made_by_hand("full"), await ground.store_made_by_hand("free")
    with (
        ground.worker("one", restic=gate.script, store_slots=1) as one,
        ground.worker("two", restic=gate.script, store_slots=1) as two,
    ):
        await ready(one)
        await ready(two)
        first = await ask(ground, source, full)
        await gate.arrived(1)
        second = await ask(ground, source, full)
        third = await ask(ground, source, free)
        await gate.arrived(2)
        await ground.asker.ear.until(lambda _: len(begun(ground)) == 2, 30)
        assert set(begun(ground)) == {first.job_id, third.job_id}
        for number in (1, 2, 3):
            gate.open(number)
        for request in (first, third, second):
            await ground.ending(request, TaskSucceeded)
    assert begun(ground)[-1] == second.job_id


async def test_jobs_that_wait_for_a_store_leave_their_slots_to_others(ground: WorkerFixture) -> None:
    gate = Gate(ground.files("gate"), ground.restic, command="check")
    source = await ground.assign("source", write_tree(ground.files("source"), {"a": b"a"}))
    store, other = await ground.store_made_by_hand("long"), await ground.store_made_by_hand("other")
    with ground.worker("only", restic=gate.script, slots=2, store_slots=2) as only:
        await ready(only)
        check = await ground.request(store, None, type_="check")
        await gate.arrived(1)
        waiting = [await ground.request(store, None, type_="maintenance") for _ in range(3)]

        def all_wait(_: object) -> bool:
            told = [ground.published(each, TaskProgressed) for each in waiting]
            return all(any(check.job_id in event.waiting_for for event in events) for events in told)

        await ground.asker.ear.until(all_wait, 30)
        for backup in (await ask(ground, source, store), await ask(ground, source, other)):
            await ground.ending(backup, TaskSucceeded)
        await ground.cancel(waiting[1])
        await ground.ending(waiting[1], TaskCancelled, deadline_seconds=10)
        gate.open(1)
        for request in (check, waiting[0], waiting[2]):
            await ground.ending(request, TaskSucceeded)
    ends = [each.data.job_id for each in ground.asker.heard(TaskSucceeded)]
    assert ends.index(check.job_id) < ends.index(waiting[0].job_id) < ends.index(waiting[2].job_id)
