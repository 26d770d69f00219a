"""The end of a job is told again to whoever asks for the job again."""

from chassis.ids import utc_now
from chassis.runtime.service_runtime import open_service_runtime
from connector.domain.work import TASK
from connector.queue.intake import WakeUps, request_task, work_of
from connector.store.mongo import open_store
from contracts.messages.connector.task_events import TaskLogged, TaskSucceeded
from contracts.topics import CONNECTOR_EVENTS
from contracts.values import JobId

from tests.support.environment import Corner
from tests.support.kafka import header, open_wire
from tests.unit.connector.parts import ORG, held, task_request


async def test_a_job_that_has_ended_says_so_once_more_for_each_request(fresh_corner: Corner) -> None:
    settings = fresh_corner.settings()
    facts = {"organization_id": ORG, "job_id": JobId("job"), "attempt": 1, "at": utc_now()}
    async with open_service_runtime(settings, "connector") as runtime, open_wire(settings) as wire:
        await wire.ensure(CONNECTOR_EVENTS)
        store = await open_store(runtime.database, runtime.outbox)
        await request_task(store, WakeUps(), task_request())  # type: ignore[arg-type]
        work = work_of(task_request(), kind=TASK, work_id="job", pool="default")
        await (await held(store, work)).settle([TaskLogged(**facts, sequence=1, lines=()), TaskSucceeded(**facts)])

        for _ in range(2):
            await request_task(store, WakeUps(), task_request())  # type: ignore[arg-type]

        told = [header(record, "ce_type") for record in await wire.read(CONNECTOR_EVENTS)]
    assert told == [TaskLogged.TYPE, TaskSucceeded.TYPE, TaskSucceeded.TYPE, TaskSucceeded.TYPE]


async def test_a_job_that_is_being_done_says_nothing(fresh_corner: Corner) -> None:
    settings = fresh_corner.settings()
    async with open_service_runtime(settings, "connector") as runtime, open_wire(settings) as wire:
        await wire.ensure(CONNECTOR_EVENTS)
        store = await open_store(runtime.database, runtime.outbox)
        await request_task(store, WakeUps(), task_request())  # type: ignore[arg-type]
        await held(store, work_of(task_request(), kind=TASK, work_id="job", pool="default"))

        await request_task(store, WakeUps(), task_request())  # type: ignore[arg-type]

        assert await wire.read(CONNECTOR_EVENTS) == []
