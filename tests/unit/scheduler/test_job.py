"""What a job becomes, case by case."""

import pytest
from contracts.errors import Conflict, Invalid, NotFound
from contracts.messages.connector.task_events import TaskCancelled, TaskFailed, TaskSucceeded
from contracts.messages.outcomes import Problem
from contracts.task_types.backup import BackupResult
from contracts.tasks import Task
from scheduler.jobs.domain import job as decisions
from scheduler.jobs.domain.job import Job

from tests.unit.scheduler.builder import (
    NOON,
    after,
    app,
    backup,
    cancel,
    progressed,
    queued,
    run_task,
    started,
    told,
)

STORE = app("store", "Vault")

PROBLEM = Problem(code="root_missing", kind="failed", detail="There is no directory /data.")
SUMMARY = BackupResult(snapshot_id="ab" * 32, files_processed=3, bytes_processed=2048, bytes_added=100)


def running(attempt: int = 1) -> Job:
    job = queued()
    return decisions.start(job, started(job.id, attempt=attempt))


def texts(job: Job) -> list[str]:
    return [note.line.text for note in job.notes]


def test_a_new_job_waits_and_says_so() -> None:
    job = queued()
    assert (job.status, job.attempt, job.created_at, job.started_at, job.stopped_at) == ("queued", 0, NOON, None, None)
    assert texts(job) == ["queued: backup of Photos to Vault"]


def test_an_rm_is_not_called_a_rm() -> None:
    with pytest.raises(Invalid, match="An rm has no target"):
        decisions.check_task(Task(type="rm", origin=app("store"), target=app("store")))


@pytest.mark.parametrize(
    ("task", "code", "field"),
    [
        (backup(origin=app("store")), "origin_kind_wrong", "origin_id"),
        (backup(origin=app("destination")), "origin_kind_wrong", "origin_id"),
        (backup(target=None), "target_missing", "target_id"),
        (backup(target=app("source")), "target_kind_wrong", "target_id"),
        (backup(target=app("destination")), "target_kind_wrong", "target_id"),
        (Task(type="sync", origin=STORE, target=STORE), "target_is_origin", "target_id"),
        (Task(type="maintenance", origin=app("store"), target=app("store")), "target_kind_wrong", "target_id"),
        (Task(type="rm", origin=app("store")), "options_invalid", "config"),
        (Task(type="prune", origin=app("store")), "options_invalid", "config"),
    ],
)
def test_a_task_that_cannot_be_run_is_refused_with_the_field_at_fault(task: Task, code: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        decisions.queue_job(None, run_task(task), NOON)
    assert refused.value.code == code
    assert list(refused.value.fields) == [field]


def test_a_job_id_is_used_once() -> None:
    with pytest.raises(Conflict, match="job_exists"):
        decisions.queue_job(queued(), run_task(), NOON)


def test_a_worker_takes_a_job() -> None:
    job = running()
    assert (job.status, job.attempt, job.worker, job.started_at) == ("running", 1, "w1", after(1))
    assert decisions.start(job, started(job.id)) is job


def test_a_newer_attempt_takes_over_and_the_log_says_so() -> None:
    job = decisions.advance(running(), progressed("x", 0.5))
    taken = decisions.start(job, started(job.id, attempt=2, worker="w2", seconds=9))
    assert (taken.attempt, taken.worker, taken.started_at, taken.progress) == (2, "w2", after(1), None)
    assert texts(taken)[-1] == "taken over from w1: started on w2, attempt 2"
    assert taken.notes[-1].line.level == "warning"


def test_a_worker_that_tries_again_is_not_said_to_have_been_silent() -> None:
    job = running()
    assert texts(decisions.start(job, started(job.id, attempt=2)))[-1] == "begun again: started on w1, attempt 2"


@pytest.mark.parametrize(("attempt", "counts"), [(1, False), (2, True), (3, True)])
def test_an_older_attempt_is_refused(attempt: int, counts: bool) -> None:
    job = running(attempt=2)
    assert decisions.accepts(job, told(TaskSucceeded, job.id, attempt=attempt)) is counts


@pytest.mark.parametrize("status", ["succeeded", "failed", "canceled"])
def test_nothing_counts_after_the_end(status: str) -> None:
    ended = running().model_copy(update={"status": status})
    assert not decisions.accepts(ended, told(TaskSucceeded, ended.id, attempt=7))


def test_an_unknown_job_is_an_error() -> None:
    with pytest.raises(NotFound, match="job_not_found"):
        decisions.require_job(None)


def test_the_latest_progress_wins() -> None:
    job = decisions.advance(running(), progressed("x", 0.7, seconds=5))
    assert decisions.advance(job, progressed("x", 0.6, seconds=4)) is job
    later = decisions.advance(job, progressed("x", 0.8, seconds=6))
    assert later.progress is not None
    assert later.progress.fraction == 0.8
    assert texts(later) == texts(job)


def test_progress_of_a_newer_attempt_takes_over_even_if_its_clock_is_behind() -> None:
    job = decisions.advance(running(), progressed("x", 0.7, seconds=50))
    taken = decisions.advance(job, progressed("x", 0.1, attempt=2, seconds=3))
    assert (taken.attempt, taken.worker, taken.progress and taken.progress.fraction) == (2, None, 0.1)
    named = decisions.start(taken, started(job.id, attempt=2, worker="w2"))
    assert (named.worker, named.progress) == ("w2", taken.progress)


def test_success_keeps_the_figures_and_tells_them() -> None:
    job = decisions.succeed(running(), told(TaskSucceeded, "x", seconds=8, result=SUMMARY))
    assert (job.status, job.stopped_at, job.result, job.problem) == ("succeeded", after(8), SUMMARY, None)
    assert texts(job)[-1].startswith("succeeded: restore point abababab with 3 files")
    assert "2.0 KiB read, 100 B added" in texts(job)[-1]


def test_failure_keeps_the_reason_and_a_restore_point_that_was_left() -> None:
    job = decisions.fail(running(), told(TaskFailed, "x", seconds=8, problem=PROBLEM, result=SUMMARY))
    assert (job.status, job.problem, job.result) == ("failed", PROBLEM, SUMMARY)
    assert texts(job)[-1] == "failed: There is no directory /data. (root_missing)"


def test_a_queued_job_is_canceled_though_no_worker_had_begun_it() -> None:
    asked = decisions.request_cancel(queued(), after(3))
    job = decisions.cancel(asked, told(TaskCancelled, asked.id, seconds=4))
    assert (job.status, job.attempt, job.started_at, job.stopped_at) == ("canceled", 1, None, after(4))
    assert texts(job) == ["queued: backup of Photos to Vault", "asked to stop", "canceled"]


def test_a_result_without_a_start_still_has_a_start_time() -> None:
    job = decisions.fail(queued(), told(TaskFailed, "x", seconds=2, problem=PROBLEM))
    assert (job.started_at, job.stopped_at) == (after(2), after(2))


def test_a_second_request_to_stop_changes_nothing() -> None:
    asked = decisions.request_cancel(running(), after(3))
    assert decisions.request_cancel(asked, after(4)) is asked


def test_only_a_job_that_goes_on_can_be_stopped() -> None:
    ended = decisions.succeed(running(), told(TaskSucceeded, "x"))
    with pytest.raises(Conflict, match="job_finished"):
        decisions.request_cancel(ended, after(9))
    with pytest.raises(NotFound, match="job_not_found"):
        decisions.require_job(None)


def test_a_cancel_command_names_its_job() -> None:
    assert cancel("j").key == "j"


def test_a_job_of_a_version_before_results_had_types_is_read() -> None:
    job = decisions.succeed(running(), told(TaskSucceeded, "x", seconds=8, result=SUMMARY))
    stored = job.model_dump(mode="json", exclude={"result"}) | {"backup": SUMMARY.model_dump(exclude={"type"})}
    assert Job.model_validate(stored).result == SUMMARY
