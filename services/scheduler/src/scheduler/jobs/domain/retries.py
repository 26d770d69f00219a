"""Running the task of a job once more."""

from datetime import datetime

from contracts.errors import Conflict, Invalid
from contracts.messages.assignment import AppRef
from contracts.messages.scheduler import FINAL_STATUSES, RetryJob, RunTask

from scheduler.jobs.domain.job import Job, queue_job


def retry(former: Job, present: Job | None, command: RetryJob, *, latest: Job | None, now: datetime) -> Job:
    """A new job with the task and priority of one that is over. `latest`: the one that retried it before, if any.

    Raises `Conflict` (`job_not_finished`, `retry_unfinished`), `Invalid` (`retry_differs`), or what `queue_job` raises.
    """
    if former.status not in FINAL_STATUSES:
        raise Conflict("job_not_finished", f"Only a job that is over can be retried: this one is {former.status}.")
    # Named and not there: the process that made it died before it did; its command comes again.
    if former.retried_by not in (None, command.new_job_id) and (latest is None or latest.status not in FINAL_STATUSES):
        raise Conflict("retry_unfinished", f"The job is being retried already, as the job {former.retried_by}.")
    again = RunTask(
        organization_id=command.organization_id,
        job_id=command.new_job_id,
        run_id=command.run_id,
        task=former.task.model_copy(update=_parties(former, command)),
        pool=command.pool,
        priority=former.priority if command.priority is None else command.priority,
    )
    return queue_job(present, again, now).model_copy(update={"retry_of": former.id})


def note_retry(former: Job, job: Job) -> Job:
    """The job that is retried, which names the latest job that does so."""
    return former.model_copy(update={"retried_by": job.id})


def _parties(former: Job, command: RetryJob) -> dict[str, AppRef | None]:
    """Those of the task, in the revision of now."""
    before, now = (former.task.origin, former.task.target), (command.origin, command.target)
    if [each and each.id for each in before] != [each and each.id for each in now]:
        raise Invalid("retry_differs", "A retry has the origin and the target of the job that it retries.")
    return {"origin": command.origin, "target": command.target}
