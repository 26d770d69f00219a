"""How far a job is, as it is shown: of one that succeeded, what it came to instead of what was reported last."""

from scheduler.jobs.domain.job import Job, Progress

DONE = "done"
"""The phase of a job that succeeded."""


def shown_progress(job: Job) -> Progress | None:
    """The progress of a job. One that succeeded is done with all of it, and no process works for it any more.

    One that failed or was canceled shows how far it came.
    """
    if job.status != "succeeded" or job.stopped_at is None:
        return job.progress
    last = job.progress or Progress(at=job.stopped_at, phase=DONE, fraction=1)
    done = job.result.processed() if job.result else None
    files, size = (done.files, done.bytes) if done else (last.files_done, last.bytes_done)
    return Progress(
        at=job.stopped_at,
        phase=DONE,
        fraction=1,
        files_done=files,
        files_total=files,
        bytes_done=size,
        bytes_total=size,
        network_bytes=last.network_bytes,
    )
