"""The state of a job: how it stands, and what it used, did and warned of. Names are those of the documented product."""

from contracts.measures import Sample, Usage
from contracts.queries.scheduler import Job, JobMeasures
from pydantic import Field

from gateway.areas.scheduling.job_log import printable
from gateway.areas.scheduling.schemas.answers import PROGRESS_EXAMPLE, ProgressView, progress_view
from gateway.http.answers import Stamp, View
from gateway.http.examples import JOB, example

_AT = "2026-11-23T08:00:02.000Z"
_USAGE_EXAMPLE = {
    "cpu_percent": 35.0,
    "memory_bytes": 80_000_000.0,
    "received_bps": 1200.0,
    "sent_bps": 640_000.0,
    "read_bps": 2_500_000.0,
    "written_bps": 640_000.0,
}


class ProcessedView(View):
    """What was handled so far."""

    items: int = Field(description="Files")
    bytes: int


class FinalFiguresView(View):
    """What a job came to that is over."""

    duration: float = Field(description="Seconds from its start to its end")
    errors: int | None = Field(description="What could not be handled; null: the result of this type does not tell")
    size: int | None = Field(description="Bytes that were handled; null: the result of this type does not tell")


class SummaryView(View):
    """What the job has handled or will, as far as it is known."""

    files: int
    size: int = Field(description="Bytes")


class PathOutcomeView(View):
    """What became of a path."""

    path: str
    status: str = Field(description="`ok`, `error`, `kept` or `unchanged`; others may follow")


class ResourcesView(View):
    """What the processes of the job used in a span that ended at `at`."""

    at: Stamp
    cpu_percent: float | None = Field(description="Of one core, on average; null: nobody can tell")
    memory_bytes: float | None = Field(description="Resident, on average; null: nobody can tell")


class NetworkView(View):
    """What the worker's host received and sent in a span that ended at `at`."""

    at: Stamp
    read_bps: float | None = Field(description="Bytes a second received; null: nobody can tell")
    write_bps: float | None = Field(description="Bytes a second sent; null: nobody can tell")


class TotalView(View):
    """A sum."""

    total: int | None = Field(description="Bytes; null: nobody can tell")


class ReadWriteView(View):
    """What was read and written."""

    r: TotalView
    w: TotalView


class PhaseView(View):
    """A phase of an attempt at a job."""

    name: str
    attempt: int
    started_at: Stamp
    seconds: float | None = Field(description="How long it took; null while it goes on")


class WarningView(View):
    """A warning of the job's log."""

    at: Stamp
    text: str


class UsageView(View):
    """What the job used; null: nobody can tell."""

    model_config = example(**_USAGE_EXAMPLE)

    cpu_percent: float | None = Field(description="Of one core, by the processes that do the job")
    memory_bytes: float | None = Field(description="Resident, of the processes that do the job")
    received_bps: float | None = Field(description="Bytes a second that the worker's host received")
    sent_bps: float | None = Field(description="Bytes a second that the worker's host sent")
    read_bps: float | None = Field(description="Bytes a second that the processes read, of files and connections")
    written_bps: float | None = Field(description="Bytes a second that the processes wrote, to files and connections")


class SampleView(View):
    """What the job used in a span of time."""

    at: Stamp = Field(description="When the span ended")
    seconds: float = Field(description="How long it was")
    mean: UsageView = Field(description="On average")
    highest: UsageView = Field(description="The highest of each figure")


class JobStateView(View):
    """The status of a job, how far it is, and what it used, did and warned of. Kept when the job is over."""

    model_config = example(
        id=JOB,
        status="running",
        progress=PROGRESS_EXAMPLE,
        phase="transferring",
        snapshot_id=None,
        processed={"items": 3, "bytes": 13000},
        result=None,
        summary={"files": 8, "size": 32500},
        recent_paths=[{"path": "/srv/files/old.txt", "status": "ok"}],
        resources=[{"at": _AT, "cpu_percent": 35.0, "memory_bytes": 80_000_000.0}],
        network=[{"at": _AT, "read_bps": 1200.0, "write_bps": 640_000.0}],
        io={"engine": {"r": {"total": 2_500_000}, "w": {"total": 640_000}}},
        phases=[{"name": "preparing", "attempt": 1, "started_at": "2026-11-23T08:00:00.120Z", "seconds": 0.9}],
        warnings=[{"at": _AT, "text": "The store is locked: waiting for process 12 on nas."}],
        warning_count=1,
        series=[{"at": _AT, "seconds": 1.0, "mean": _USAGE_EXAMPLE, "highest": _USAGE_EXAMPLE}],
        peaks=_USAGE_EXAMPLE,
    )

    id: str
    status: str
    progress: ProgressView | None
    phase: str | None = Field(description="As in `progress`; `done` when the job succeeded; null before it began")
    snapshot_id: str | None = Field(description="The restore point that was made or is worked on")
    processed: ProcessedView | None
    result: FinalFiguresView | None = Field(description="Null until the job is over")
    summary: SummaryView | None
    recent_paths: list[PathOutcomeView] = Field(description="The latest, oldest first; those with errors stay longest")
    resources: list[ResourcesView] = Field(description="Oldest first; spans of which nothing is known are left out")
    network: list[NetworkView] = Field(description="Oldest first; of the worker's host")
    io: dict[str, ReadWriteView] = Field(description="`engine`: of the processes that do the job, over all attempts")
    phases: list[PhaseView] = Field(description="Oldest first; of very many the first and the last")
    warnings: list[WarningView] = Field(description="The first ones, oldest first")
    warning_count: int
    series: list[SampleView] = Field(description="All figures, oldest first, at most 300 spans of about equal length")
    peaks: UsageView = Field(description="The highest of each figure of the whole series")


def state_view(job: Job, measures: JobMeasures) -> JobStateView:
    """How a job stands."""
    progress, totals = progress_view(job), measures.totals
    known = [each for each in measures.samples if (each.mean.cpu_percent, each.mean.memory_bytes) != (None, None)]
    named = getattr(job.result, "snapshot_id", None) or job.task.options.snapshot_id
    return JobStateView(
        id=job.id,
        status=job.status,
        progress=progress,
        phase=progress.phase if progress else None,
        snapshot_id=named,
        processed=ProcessedView(items=progress.files_done, bytes=progress.bytes_done) if progress else None,
        result=_final_figures(job),
        summary=SummaryView(files=progress.files_total, size=progress.bytes_total) if progress else None,
        recent_paths=[PathOutcomeView(path=printable(each.path), status=each.status) for each in measures.paths],
        resources=[
            ResourcesView(at=each.at, cpu_percent=each.mean.cpu_percent, memory_bytes=each.mean.memory_bytes)
            for each in known
        ],
        network=[
            NetworkView(at=each.at, read_bps=each.mean.received_bps, write_bps=each.mean.sent_bps)
            for each in measures.samples
        ],
        io={"engine": ReadWriteView(r=TotalView(total=totals.read_bytes), w=TotalView(total=totals.written_bytes))},
        phases=[PhaseView.model_validate(each.model_dump()) for each in measures.phases],
        warnings=[WarningView(at=each.at, text=printable(each.text)) for each in measures.warnings],
        warning_count=measures.warning_count,
        series=[_sample(each) for each in measures.samples],
        peaks=_usage(measures.highest),
    )


def _final_figures(job: Job) -> FinalFiguresView | None:
    if job.stopped_at is None:
        return None
    done = job.result.processed() if job.result else None
    seconds = (job.stopped_at - (job.started_at or job.stopped_at)).total_seconds()
    return FinalFiguresView(
        duration=max(seconds, 0.0), errors=done.errors if done else None, size=done.bytes if done else None
    )


def _sample(sample: Sample) -> SampleView:
    return SampleView(at=sample.at, seconds=sample.seconds, mean=_usage(sample.mean), highest=_usage(sample.peak))


def _usage(usage: Usage) -> UsageView:
    return UsageView.model_validate(usage.model_dump())
