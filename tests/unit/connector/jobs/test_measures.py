"""What is told of a job beside its progress: nothing of it gets lost, and there is never too much of it."""

from types import SimpleNamespace
from typing import Any

import pytest
from chassis.ids import utc_now
from connector.engine.port import Progress
from connector.engine.processes import Reading
from connector.jobs import measures
from connector.jobs.job_reporting import Reporter
from connector.jobs.measures import PATHS_PER_EVENT, SAMPLES_PER_EVENT, WARNINGS_MAX, JobMeasures
from contracts.measures import Usage
from contracts.messages.connector.task_events import LogLine, TaskMeasured
from contracts.values import JobId, OrganizationId

from tests.support.waiting import eventually_async
from tests.unit.connector.parts import MemoryPublisher, held, memory_store, some_work

FACTS: dict[str, Any] = {"organization_id": OrganizationId("org"), "job_id": JobId("job"), "attempt": 1}


class Counters:
    """Counters of a job and its host that a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.reading, self.network = 0.0, Reading(), (0, 0)
        monkeypatch.setattr(measures, "monotonic", lambda: self.now)
        monkeypatch.setattr(measures.psutil, "net_io_counters", self.count_network)
        self.measures = JobMeasures()
        monkeypatch.setattr(self.measures.meter, "read", lambda: self.reading)

    def count_network(self) -> SimpleNamespace:
        received, sent = self.network
        return SimpleNamespace(bytes_recv=received, bytes_sent=sent)

    def later(self, seconds: float, **reading: Any) -> None:
        self.now += seconds
        self.reading = Reading(**reading)
        self.measures.sample()


@pytest.fixture
def counters(monkeypatch: pytest.MonkeyPatch) -> Counters:
    return Counters(monkeypatch)


def told(measures: JobMeasures) -> TaskMeasured:
    event = measures.next_event(FACTS | {"at": utc_now()})
    assert event is not None
    measures.sent()
    return event


def test_rates_are_what_was_used_since_the_sample_before(counters: Counters) -> None:
    counters.network = (1000, 50)
    counters.later(2, cpu_seconds=1.0, memory_bytes=7, read_bytes=100, written_bytes=None)
    counters.later(1, cpu_seconds=1.5, memory_bytes=9, read_bytes=300, written_bytes=None)
    event = told(counters.measures)
    first, second = event.samples
    assert first.mean == Usage(cpu_percent=50, memory_bytes=7, received_bps=500, sent_bps=25, read_bps=50)
    assert second.mean == Usage(cpu_percent=50, memory_bytes=9, received_bps=0, sent_bps=0, read_bps=200)
    assert event.totals.model_dump() == {
        "cpu_seconds": 1.5, "received_bytes": 1000, "sent_bytes": 50, "read_bytes": 300, "written_bytes": None
    }  # fmt: skip


def test_while_no_process_works_for_the_job_what_it_uses_is_unknown(counters: Counters) -> None:
    counters.later(1)
    counters.later(1, cpu_seconds=1.0, memory_bytes=5, read_bytes=8, written_bytes=8)
    counters.later(1, cpu_seconds=1.2, memory_bytes=None, read_bytes=9, written_bytes=8)
    counters.later(1, cpu_seconds=1.2, memory_bytes=None, read_bytes=9, written_bytes=8)
    assert [each.mean.cpu_percent for each in told(counters.measures).samples] == [None, 100, 20, None]


def test_a_message_is_the_same_until_it_has_arrived(counters: Counters) -> None:
    counters.measures.enter("preparing")
    lost = counters.measures.next_event(FACTS | {"at": utc_now()})
    counters.measures.enter("transferring")
    assert told(counters.measures) is lost
    assert [(told.sequence, told.phases[0].name) for told in (lost, told_next(counters))] == [
        (1, "preparing"), (2, "transferring")
    ]  # fmt: skip
    assert counters.measures.next_event(FACTS) is None


def told_next(counters: Counters) -> TaskMeasured:
    return told(counters.measures)


def test_the_phase_that_goes_on_is_told_once(counters: Counters) -> None:
    for phase in ("waiting", "waiting", "transferring"):
        counters.measures.enter(phase)
    assert [each.name for each in told(counters.measures).phases] == ["waiting", "transferring"]


def test_of_many_paths_the_latest_are_told_and_errors_first_of_all(counters: Counters) -> None:
    counters.measures.handle("/broken", "error")
    for number in range(100):
        counters.measures.handle(f"/{number}", "ok")
    paths = told(counters.measures).paths
    assert len(paths) == PATHS_PER_EVENT
    assert [each.path for each in paths] == ["/broken", *(f"/{n}" for n in range(81, 100))]


def test_a_path_that_the_engine_has_left_went_well_unless_an_error_named_it(counters: Counters) -> None:
    for current, failed in ((("/a", "/b"), ()), (("/b", "/c"), ()), ((), ("/b",)), ((), ("/b",))):
        counters.measures.follow(Progress(current=current, failed=failed))
    outcomes = {(each.path, each.status) for each in told(counters.measures).paths}
    assert outcomes == {("/a", "ok"), ("/b", "error"), ("/c", "ok")}


def test_warnings_beyond_the_first_are_counted(counters: Counters) -> None:
    for number in range(WARNINGS_MAX + 3):
        counters.measures.warn(LogLine(at=utc_now(), level="warning", text=f"{number}"))
    event = told(counters.measures)
    assert (len(event.warnings), event.warning_count) == (WARNINGS_MAX, WARNINGS_MAX + 3)


def test_samples_that_cannot_be_sent_are_thinned(counters: Counters) -> None:
    for second in range(5 * SAMPLES_PER_EVENT):
        counters.later(1, cpu_seconds=second, memory_bytes=second)
    samples = told(counters.measures).samples
    assert len(samples) == SAMPLES_PER_EVENT
    assert sum(each.seconds for each in samples) == 5 * SAMPLES_PER_EVENT
    assert max(each.peak.memory_bytes or 0 for each in samples) == 5 * SAMPLES_PER_EVENT - 1


async def test_a_reporter_sends_measures_again_until_kafka_takes_them() -> None:
    store, publisher = memory_store(), MemoryPublisher(failures=2)
    lease = await held(store, await some_work(store), seconds=30)
    reporter = Reporter(publisher, lease, JobId("job"), first_seconds=0.001, period_seconds=0.001, measures_seconds=0)
    reporter.measures.enter("checking")
    async with reporter.sending():
        await eventually_async(lambda: publisher.sent)
    event = publisher.sent[0].data
    assert isinstance(event, TaskMeasured)
    assert (event.sequence, [each.name for each in event.phases]) == (1, ["checking"])


async def test_warnings_of_the_log_and_what_was_not_sent_come_with_the_result() -> None:
    store = memory_store()
    lease = await held(store, await some_work(store), seconds=30)
    reporter = Reporter(MemoryPublisher(), lease, JobId("job"))
    reporter.enter("transferring")
    reporter.log("info", "fine")
    reporter.log("warning", "odd")
    (event,) = reporter.measured()
    assert isinstance(event, TaskMeasured)
    assert [each.text for each in event.warnings] == ["odd"]
    assert event.samples
