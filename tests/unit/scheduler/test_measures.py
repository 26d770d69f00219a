"""What is kept of what workers tell about a job: bounded, each message once, over all attempts."""

from typing import Any

from contracts.measures import SAMPLES_MAX, Sample, Totals, Usage, highest_of
from contracts.messages.connector.task_events import LogLine, PathOutcome, PhaseBegun, TaskMeasured, TaskSucceeded
from contracts.tasks import BackupResult, CheckResult
from contracts.values import JobId
from scheduler.jobs import usecases
from scheduler.jobs.domain import job as decisions
from scheduler.jobs.domain.final_figures import shown_progress
from scheduler.jobs.domain.measures import PATHS_MAX, WARNINGS_MAX, Measures, latest_paths, take_measures
from scheduler.jobs.domain.phases import PHASES_MAX

from tests.unit.scheduler.builder import ORG, after, progressed, queued, started, told, wrapped
from tests.unit.scheduler.test_usecases import World, world

__all__ = ["world"]


def sample(seconds: float, **figures: float) -> Sample:
    return Sample(at=after(seconds), seconds=1, mean=Usage(**figures))


def measured(sequence: int, *, attempt: int = 1, seconds: float = 1, job_id: str = "x", **facts: Any) -> TaskMeasured:
    return told(TaskMeasured, job_id, attempt=attempt, seconds=seconds, sequence=sequence, **facts)


def phases(*begun: tuple[str, float]) -> dict[str, Any]:
    return {"phases": tuple(PhaseBegun(name=name, at=after(seconds)) for name, seconds in begun)}


def taken(*events: TaskMeasured) -> Measures:
    known = Measures()
    for event in events:
        known = take_measures(known, event)
    return known


def named(known: Measures) -> list[tuple[str, int, float | None]]:
    return [(each.name, each.attempt, each.seconds) for each in known.phases]


def test_a_series_stays_bounded_and_keeps_what_was_highest() -> None:
    events = [measured(n, samples=(sample(n, memory_bytes=n % 500),)) for n in range(1, 2 * SAMPLES_MAX)]
    known = taken(*events)
    assert len(known.samples) == SAMPLES_MAX
    assert highest_of(known.samples).memory_bytes == 499


def test_a_message_that_comes_twice_or_late_changes_nothing() -> None:
    first, second = measured(1, samples=(sample(1),)), measured(2, samples=(sample(2),))
    known = taken(first, second)
    assert take_measures(known, second) is known
    assert take_measures(known, first) is known


def test_each_phase_ends_where_the_next_one_begins() -> None:
    known = taken(
        measured(1, **phases(("preparing", 0), ("transferring", 2))),
        measured(2, **phases(("transferring", 5), ("indexing", 9))),
    )
    assert named(known) == [("preparing", 1, 2), ("transferring", 1, 7), ("indexing", 1, None)]


def test_an_attempt_that_was_lost_ends_its_phase_where_it_was_heard_of_last() -> None:
    known = taken(
        measured(1, **phases(("transferring", 1)), totals=Totals(read_bytes=5), warning_count=2),
        measured(2, seconds=4, totals=Totals(read_bytes=7), warning_count=3),
        measured(1, attempt=2, **phases(("transferring", 60)), totals=Totals(read_bytes=1), warning_count=1),
    )
    assert named(known) == [("transferring", 1, 3), ("transferring", 2, None)]
    assert (known.earlier_totals.read_bytes, known.totals.read_bytes) == (7, 1)
    assert (known.earlier_warnings, known.warning_count) == (3, 1)


def test_of_many_phases_the_first_and_the_last_are_kept() -> None:
    known = taken(*(measured(n, **phases((f"p{n}", n))) for n in range(1, 2 * PHASES_MAX)))
    assert len(known.phases) == PHASES_MAX
    assert (known.phases[0].name, known.phases[-1].name) == ("p1", f"p{2 * PHASES_MAX - 1}")


def test_paths_with_an_error_stay_longer_than_others() -> None:
    paths = [PathOutcome(path=f"/{n}", status="error" if n == 3 else "ok") for n in range(4 * PATHS_MAX)]
    kept = latest_paths(paths)
    assert len(kept) == PATHS_MAX
    assert (kept[0], kept[-1]) == (paths[3], paths[-1])
    errors = [each.model_copy(update={"status": "error"}) for each in paths]
    assert latest_paths(errors) == tuple(errors[-PATHS_MAX:])


def test_the_first_warnings_are_listed_and_all_are_counted() -> None:
    lines = tuple(LogLine(at=after(n), level="warning", text=f"w{n}") for n in range(WARNINGS_MAX + 9))
    known = taken(measured(1, warnings=lines, warning_count=len(lines)))
    assert known.warnings == lines[:WARNINGS_MAX]
    assert known.warning_count == WARNINGS_MAX + 9


async def test_measures_of_a_job_end_with_it(world: World) -> None:
    job_id = await world.queued()
    await usecases.note_started(world.store, wrapped(started(job_id)))
    told_first = measured(1, job_id=job_id, samples=(sample(2, cpu_percent=5),), **phases(("transferring", 2)))
    await usecases.note_measures(world.store, wrapped(told_first))
    running = await usecases.read_measures(world.store, ORG, job_id)
    assert (running.samples, named(running)) == (told_first.samples, [("transferring", 1, None)])
    await usecases.note_succeeded(world.store, wrapped(told(TaskSucceeded, job_id, seconds=9)))
    await usecases.note_measures(world.store, wrapped(measured(2, job_id=job_id, samples=(sample(3),))))
    ended = await usecases.read_measures(world.store, ORG, job_id)
    assert (ended.samples, named(ended)) == (told_first.samples, [("transferring", 1, 7)])


async def test_a_takeover_is_among_the_warnings(world: World) -> None:
    job_id = await world.queued()
    await usecases.note_started(world.store, wrapped(started(job_id)))
    line = LogLine(at=after(4), level="warning", text="slow")
    await usecases.note_measures(world.store, wrapped(measured(1, job_id=job_id, warnings=(line,), warning_count=1)))
    await usecases.note_started(world.store, wrapped(started(job_id, attempt=2, worker="w2", seconds=3)))
    shown = await usecases.read_measures(world.store, ORG, job_id)
    assert [each.text.split(":")[0] for each in shown.warnings] == ["taken over from w1", "slow"]
    assert shown.earlier_warnings + shown.warning_count == 2


async def test_measures_of_an_attempt_that_was_taken_over_are_ignored(world: World) -> None:
    job_id: JobId = await world.queued()
    await usecases.note_started(world.store, wrapped(started(job_id, attempt=2)))
    await usecases.note_measures(world.store, wrapped(measured(1, job_id=job_id, samples=(sample(2),))))
    assert await usecases.read_measures(world.store, ORG, job_id) == Measures()


def test_a_job_that_succeeded_shows_what_it_came_to() -> None:
    job = decisions.advance(decisions.start(queued(), started("x")), progressed("x", 0.5))
    backup = BackupResult(snapshot_id="ab" * 32, files_processed=3, bytes_processed=70)
    done = shown_progress(decisions.succeed(job, told(TaskSucceeded, "x", seconds=9, result=backup)))
    assert done is not None
    assert (done.phase, done.fraction, done.files_done, done.bytes_done, done.bytes_total) == ("done", 1, 3, 70, 70)


def test_a_job_whose_result_does_not_count_shows_what_was_reported_last() -> None:
    job = decisions.advance(
        decisions.start(queued(), started("x")), progressed("x", 0.5).model_copy(update={"files_done": 4})
    )
    done = shown_progress(decisions.succeed(job, told(TaskSucceeded, "x", seconds=9, result=CheckResult())))
    assert done is not None
    assert (done.fraction, done.files_done, done.files_total) == (1, 4, 4)
    assert shown_progress(job) == job.progress
