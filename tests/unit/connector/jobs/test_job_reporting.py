"""Progress of which the latest counts, and log lines of which none is left out."""

import pytest
from connector.engine.port import Progress
from connector.jobs import job_reporting
from connector.jobs.job_reporting import Reporter
from connector.jobs.job_runner import attempt_facts
from connector.store.ports import Store
from contracts.messages.connector.task_events import TaskCancelled, TaskLogged, TaskMeasured, TaskProgressed
from contracts.messages.scheduler import TaskRequested
from contracts.values import JobId

from tests.support.waiting import eventually_async
from tests.unit.connector.parts import MemoryPublisher, held, memory_store, some_work


@pytest.fixture
def store() -> Store:
    return memory_store()


@pytest.fixture
def publisher() -> MemoryPublisher:
    return MemoryPublisher()


def lines(events: list[TaskLogged]) -> list[str]:
    return [line.text for event in events for line in event.lines]


async def reporter_of(store: Store, publisher: MemoryPublisher, seconds: float = 30) -> Reporter:
    lease = await held(store, await some_work(store), seconds=seconds)
    return Reporter(publisher, lease, JobId("job"), first_seconds=0.01, period_seconds=0.01)


async def test_of_several_figures_the_latest_is_sent(store: Store, publisher: MemoryPublisher) -> None:
    reporter = await reporter_of(store, publisher)
    reporter.enter("transferring")
    for done in range(5):
        reporter.progress(Progress(files_done=done, current=("/a",)))

    async with reporter.sending():
        await eventually_async(lambda: publisher.sent)

    (sent,) = (m.data for m in publisher.sent)
    assert isinstance(sent, TaskProgressed)
    assert (sent.files_done, sent.phase, sent.attempt, sent.current) == (4, "transferring", 1, ("/a",))


async def test_all_that_is_told_of_a_job_names_its_run_and_its_parties(
    store: Store, publisher: MemoryPublisher
) -> None:
    lease = await held(store, await some_work(store))
    request = lease.work.cause.data
    assert isinstance(request, TaskRequested)
    reporter = Reporter(publisher, lease, request.job_id, request=request)
    reporter.enter("transferring")
    reporter.log("info", "one")

    told = [*reporter.rest(), *reporter.measured(), TaskCancelled(**attempt_facts(lease, request))]

    assert {type(each) for each in told} == {TaskProgressed, TaskLogged, TaskMeasured, TaskCancelled}
    target = request.task.target.id if request.task.target else None
    assert {(e.run_id, e.origin_id, e.target_id) for e in told} == {(request.run_id, request.task.origin.id, target)}


async def test_lines_are_numbered_and_the_rest_comes_with_the_result(store: Store, publisher: MemoryPublisher) -> None:
    reporter = await reporter_of(store, publisher)
    reporter.log("info", "one")
    async with reporter.sending():
        await eventually_async(lambda: publisher.sent)
    reporter.log("warning", "two")

    rest = reporter.rest()

    (sent,) = (m.data for m in publisher.sent)
    assert isinstance(sent, TaskLogged)
    assert (sent.sequence, lines([sent])) == (1, ["one"])
    assert ([e.sequence for e in rest], lines(rest)) == ([2], ["two"])
    assert reporter.rest() == []


async def test_lines_that_kafka_did_not_take_are_sent_again(store: Store, publisher: MemoryPublisher) -> None:
    publisher.failures = 2
    reporter = await reporter_of(store, publisher)
    reporter.log("info", "kept")

    async with reporter.sending():
        await eventually_async(lambda: publisher.sent)

    (sent,) = (m.data for m in publisher.sent)
    assert isinstance(sent, TaskLogged)
    assert (sent.sequence, lines([sent])) == (1, ["kept"])


async def test_who_lost_the_lease_says_nothing(store: Store, publisher: MemoryPublisher) -> None:
    reporter = await reporter_of(store, publisher, seconds=-1)
    reporter.log("info", "too late")
    reporter.progress(Progress())

    async with reporter.sending() as sending:
        await sending

    assert publisher.sent == []


async def test_how_far_the_job_came_at_last_is_told_with_its_result(store: Store, publisher: MemoryPublisher) -> None:
    reporter = await reporter_of(store, publisher)
    reporter.enter("indexing")
    reporter.progress(Progress(fraction=1, files_done=3, files_total=3))
    reporter.log("info", "done")

    progressed, logged = reporter.rest()

    assert isinstance(progressed, TaskProgressed)
    assert (progressed.phase, progressed.fraction, progressed.files_done) == ("indexing", 1, 3)
    assert isinstance(logged, TaskLogged)
    assert reporter.rest() == []


async def test_a_log_without_end_is_cut_and_says_so(store: Store, publisher: MemoryPublisher) -> None:
    reporter = await reporter_of(store, publisher)
    for number in range(job_reporting.LINES_MAX + 10):
        reporter.log("error" if number % 2 else "info", f"{number}")

    said = reporter.rest()

    assert len(lines(said)) == job_reporting.LINES_MAX + 2
    assert lines(said)[-2] == "The log ends here: it is too long. Its last line says how many more there were."
    assert lines(said)[-1] == "10 more lines were left out, 5 of them about errors."
    assert reporter.rest() == []


async def test_a_long_text_goes_on_in_the_next_line(store: Store, publisher: MemoryPublisher) -> None:
    reporter = await reporter_of(store, publisher)
    path = "/" + "\xff".join(f"{number:05}" for number in range(700))

    reporter.log("error", f"{path}: permission denied")

    said = lines(reporter.rest())
    assert max(map(len, said)) <= job_reporting.LINE_CHARACTERS
    assert said[0] + "".join(line.removeprefix("... ") for line in said[1:]) == f"{path}: permission denied"


async def test_of_a_text_beyond_all_measure_the_rest_is_counted(store: Store, publisher: MemoryPublisher) -> None:
    reporter = await reporter_of(store, publisher)

    reporter.log("info", "x" * (job_reporting.TEXT_CHARACTERS + 7))

    assert lines(reporter.rest())[-1].endswith("x (7 more characters)")


async def test_no_text_makes_more_than_one_line(store: Store, publisher: MemoryPublisher) -> None:
    reporter = await reporter_of(store, publisher)

    reporter.log("info", "a name\nerror: forged\u2028\x1b[31m\0\udcff ünd so weiter")

    assert lines(reporter.rest()) == ["a name\\nerror: forged\\u2028\\x1b[31m\\x00\\udcff ünd so weiter"]
