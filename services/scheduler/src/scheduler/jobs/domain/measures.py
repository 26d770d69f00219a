"""What a job used, which phases it came through, what it handled last and what it warned of; all of it bounded."""

from collections.abc import Sequence

from contracts.measures import Sample, Totals, thinned
from contracts.messages.connector.task_events import LogLine, PathOutcome, TaskMeasured
from contracts.values import Moment, Value

from scheduler.jobs.domain.job import Job
from scheduler.jobs.domain.log import LINE_CHARACTERS
from scheduler.jobs.domain.phases import Phase, begin_phases, end_phases

PATHS_MAX = 50
WARNINGS_MAX = 100
PATH_CHARACTERS = 4096


class Measures(Value):
    """What workers told of a job beside its progress, over all attempts."""

    attempt: int = 0
    sequence: int = 0
    heard_at: Moment | None = None
    samples: tuple[Sample, ...] = ()
    totals: Totals = Totals()
    """Of the present attempt."""
    earlier_totals: Totals = Totals()
    phases: tuple[Phase, ...] = ()
    paths: tuple[PathOutcome, ...] = ()
    warnings: tuple[LogLine, ...] = ()
    """The first ones."""
    warning_count: int = 0
    """Of the present attempt."""
    earlier_warnings: int = 0


def take_measures(known: Measures, event: TaskMeasured) -> Measures:
    """The measures with what a worker told. A message that was taken before changes nothing."""
    if (event.attempt, event.sequence) <= (known.attempt, known.sequence):
        return known
    before = _next_attempt(known) if event.attempt > known.attempt else known
    return before.model_copy(
        update={
            "attempt": event.attempt,
            "sequence": event.sequence,
            "heard_at": event.at,
            "samples": thinned((*before.samples, *event.samples)),
            "totals": event.totals,
            "phases": begin_phases(before.phases, event.phases, attempt=event.attempt),
            "paths": latest_paths((*before.paths, *map(_cut_path, event.paths))),
            "warnings": (*before.warnings, *map(_cut_line, event.warnings))[:WARNINGS_MAX],
            "warning_count": event.warning_count,
        }
    )


def shown_measures(known: Measures, job: Job) -> Measures:
    """The measures of a job as they are shown: its own warnings are among them, as that it was taken over.

    Of a job that has ended the last phase has a duration.
    """
    noted = [note.line for note in job.notes if note.line.level == "warning"]
    warnings = sorted((*known.warnings, *noted), key=lambda line: line.at)
    phases = end_phases(known.phases, job.stopped_at) if job.stopped_at else known.phases
    return known.model_copy(
        update={
            "phases": phases,
            "warnings": tuple(warnings[:WARNINGS_MAX]),
            "earlier_warnings": known.earlier_warnings + len(noted),
        }
    )


def latest_paths(paths: Sequence[PathOutcome]) -> tuple[PathOutcome, ...]:
    """The latest ones, in their order. Those with an error stay longer than others, as they are what is looked for."""
    beyond = len(paths) - PATHS_MAX
    if beyond <= 0:
        return tuple(paths)
    fine = [at for at, each in enumerate(paths) if each.status != "error"]
    dropped = set(fine[:beyond])
    return tuple(each for at, each in enumerate(paths) if at not in dropped)[-PATHS_MAX:]


def _next_attempt(known: Measures) -> Measures:
    """What the attempts before came to; the last phase ended, at the latest, when the worker was last heard of."""
    return known.model_copy(
        update={
            "earlier_totals": known.earlier_totals.plus(known.totals),
            "earlier_warnings": known.earlier_warnings + known.warning_count,
            "phases": end_phases(known.phases, known.heard_at) if known.heard_at else known.phases,
        }
    )


def _cut_path(outcome: PathOutcome) -> PathOutcome:
    return outcome.model_copy(update={"path": outcome.path[:PATH_CHARACTERS]})


def _cut_line(line: LogLine) -> LogLine:
    return line.model_copy(update={"text": line.text[:LINE_CHARACTERS]})
