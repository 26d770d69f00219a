"""A job's log: the worker's lines, in the order they were written, between the scheduler's own."""

from collections.abc import Iterable, Iterator, Sequence

from contracts.messages.connector.task_events import LogLine, TaskLogged
from contracts.values import Value

from scheduler.jobs.domain.job import Job

LINE_CHARACTERS = 4096
MESSAGES_PER_ATTEMPT = 10_010
"""A worker ends a log after 10,000 lines, and says so in two more; each may come in a message of its own."""
LINES_READ = 20_000


class LogPart(Value):
    """The lines of one message of a worker."""

    attempt: int
    sequence: int
    lines: tuple[LogLine, ...]


def part_of(event: TaskLogged) -> LogPart | None:
    """What is kept of a worker's lines: long ones are cut; None when the attempt has said far too much already."""
    if event.sequence > MESSAGES_PER_ATTEMPT:
        return None
    lines = tuple(line.model_copy(update={"text": line.text[:LINE_CHARACTERS]}) for line in event.lines)
    return LogPart(attempt=event.attempt, sequence=event.sequence, lines=lines)


def compose_log(job: Job, parts: Iterable[LogPart]) -> list[LogLine]:
    """The whole log by attempt: what the scheduler noted before, the worker's lines, what the scheduler noted after.

    At most `LINES_READ` lines of workers; of a longer log the beginning and the end, and a line about the rest.
    """
    notes = [((n.attempt, 0 if n.place == "before" else 2, i), n.line) for i, n in enumerate(job.notes)]
    lines = _shortened(_in_order(parts))
    # By attempt and place, not by time: the clocks of workers and scheduler differ.
    return [line for _, line in sorted([*notes, *lines], key=lambda placed: placed[0])]


Placed = tuple[tuple[int, int, int], LogLine]


def _in_order(parts: Iterable[LogPart]) -> Iterator[Placed]:
    count = 0
    for part in sorted(parts, key=lambda p: (p.attempt, p.sequence)):
        for line in part.lines:
            count += 1
            yield (part.attempt, 1, count), line


def _shortened(lines: Iterator[Placed]) -> Sequence[Placed]:
    kept = list(lines)
    if len(kept) <= LINES_READ:
        return kept
    # The beginning says what was to be done and the end why it failed.
    half = LINES_READ // 2
    place, last = kept[half - 1]
    gap = LogLine(at=last.at, level="warning", text=f"... {len(kept) - 2 * half} lines left out ...")
    return [*kept[:half], (place, gap), *kept[-half:]]
