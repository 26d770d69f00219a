"""A job's log: the worker's lines, in the order they were written, between the scheduler's own.

A log only grows at its end, so that who has read its first lines can ask for those that follow: each part of it says
how many of the scheduler's notes came before it, and where in the log it ends.
"""

from collections.abc import Iterable, Sequence

from contracts.messages.connector.task_events import LogLine, TaskLogged
from contracts.values import Value

from scheduler.jobs.domain.job import Job, Note

LINE_CHARACTERS = 4096
MESSAGES_PER_ATTEMPT = 10_010
"""A worker ends a log after 10,000 lines, and says so in two more; each may come in a message of its own."""
LINES_READ = 20_000


class LogPart(Value):
    """The lines of one message of a worker. Parts that versions before kept have no place in the log."""

    attempt: int
    sequence: int
    lines: tuple[LogLine, ...]
    notes: int | None = None
    """How many notes of the scheduler stand before them."""
    end: int | None = None
    """How many lines the log had with them."""

    @property
    def start(self) -> int:
        """How many lines the log had before them."""
        return (self.end or 0) - len(self.lines)


class LogTail(Value):
    """The lines of a log from an offset on."""

    lines: tuple[LogLine, ...]
    next_offset: int
    """How many lines of the log have been read with these."""
    is_complete: bool
    """Whether nothing follows, now and ever."""


def part_of(event: TaskLogged) -> LogPart | None:
    """What is kept of a worker's lines: long ones are cut; None when the attempt has said far too much already."""
    if event.sequence > MESSAGES_PER_ATTEMPT:
        return None
    return LogPart(attempt=event.attempt, sequence=event.sequence, lines=_cut(event.lines))


def new_lines(before: Job | None, job: Job) -> tuple[LogLine, ...]:
    """The scheduler's own lines that a job has and had not before, as they are announced: long ones are cut."""
    known = len(before.notes) if before is not None else 0
    return _cut(note.line for note in job.notes[known:])


def _cut(lines: Iterable[LogLine]) -> tuple[LogLine, ...]:
    return tuple(line.model_copy(update={"text": line.text[:LINE_CHARACTERS]}) for line in lines)


def place_part(part: LogPart, *, notes: int, lines: int) -> LogPart:
    """The part, behind so many notes of the scheduler and lines of workers."""
    return part.model_copy(update={"notes": notes, "end": notes + lines + len(part.lines)})


def compose_log(job: Job, parts: Iterable[LogPart]) -> list[LogLine]:
    """The whole log: the notes and the parts by attempt and number, not by time, as clocks differ.

    At most `LINES_READ` lines of workers; of a longer log the beginning and the end, and a line about the rest.
    """
    return _shortened(_in_order(job, parts))


def whole_log(job: Job, parts: Iterable[LogPart]) -> list[LogLine]:
    """The whole log, however long."""
    return [line for _, line in _in_order(job, parts)]


def tail_of(lines: Sequence[LogLine], *, offset: int, is_over: bool) -> LogTail:
    """What follows in a log of which all lines are at hand, at most `LINES_READ`."""
    chosen = tuple(lines[offset : offset + LINES_READ])
    next_offset = min(offset, len(lines)) + len(chosen)
    return LogTail(lines=chosen, next_offset=next_offset, is_complete=is_over and next_offset == len(lines))


def follow_log(
    notes: Sequence[Note], parts: Sequence[LogPart], *, offset: int, last: LogPart | None, known: int, is_over: bool
) -> LogTail:
    """What follows from an offset on: `parts` are those that end beyond it, in order, `last` the last one of the log.

    `known`: how many of the notes there were before the parts were read. A later one may stand behind a part that was
    not read.
    """
    lines: list[LogLine] = []
    at = offset
    for part in parts:
        stand_before, start = part.notes or 0, part.start
        lines += [note.line for note in notes[stand_before - max(start - at, 0) : stand_before]]
        lines += part.lines[max(at - start, 0) :]
        at = max(at, part.end or 0)
    final = parts[-1] if parts else last
    if last is None or final is None or (final.end or 0) >= (last.end or 0):
        stood, end = (final.notes or 0, final.end or 0) if final else (0, 0)
        total = end + max(known - stood, 0)
        at = min(at, total)
        rest = [note.line for note in notes[stood + at - end : known]]
        return LogTail(lines=(*lines, *rest), next_offset=at + len(rest), is_complete=is_over)
    return LogTail(lines=tuple(lines), next_offset=at, is_complete=False)


Placed = tuple[bool, LogLine]
"""Whether a worker wrote it, and the line."""


def _in_order(job: Job, parts: Iterable[LogPart]) -> list[Placed]:
    ordered = sorted(parts, key=lambda p: (p.attempt, p.sequence))
    # Versions before told the place of a note by its attempt alone.
    notes = job.notes if all(p.notes is not None for p in ordered) else tuple(sorted(job.notes, key=_rank))
    lines: list[Placed] = []
    noted = 0
    for part in ordered:
        upto = part.notes if part.notes is not None else sum(_rank(n) < (part.attempt, 1) for n in notes)
        lines += [(False, note.line) for note in notes[noted:upto]]
        noted = max(noted, upto)
        lines += [(True, line) for line in part.lines]
    return [*lines, *((False, note.line) for note in notes[noted:])]


def _rank(note: Note) -> tuple[int, int]:
    return note.attempt, 0 if note.place == "before" else 2


def _shortened(placed: Sequence[Placed]) -> list[LogLine]:
    count = sum(is_workers for is_workers, _ in placed)
    if count <= LINES_READ:
        return [line for _, line in placed]
    # The beginning says what was to be done and the end why it failed.
    half, number = LINES_READ // 2, 0
    kept: list[LogLine] = []
    for is_workers, line in placed:
        if is_workers and number == half:
            text = f"... {count - 2 * half} lines left out ..."
            kept.append(LogLine(at=kept[-1].at, level="warning", text=text))
        if not is_workers or not half <= number < count - half:
            kept.append(line)
        number += is_workers
    return kept
