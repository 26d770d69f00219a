"""Reading on in a log that grows: whoever asks for what follows gets each line once, in the order of the whole log."""

import pytest
from contracts.messages.connector.task_events import LogLine, TaskCancelled
from contracts.values import JobId
from hypothesis import given, settings
from hypothesis import strategies as st
from scheduler.jobs import usecases
from scheduler.jobs.domain.job import Job, Note
from scheduler.jobs.domain.log import LINES_READ, LogPart, compose_log, follow_log, place_part, tail_of, whole_log

from tests.unit.scheduler.builder import NOON, ORG, cancel, logged, queued, started, told, wrapped
from tests.unit.scheduler.test_usecases import World, world

__all__ = ["world"]
steps = st.lists(st.sampled_from(["note", "part", "attempt", "read"]), max_size=40)


def line(text: str) -> LogLine:
    return LogLine(at=NOON, level="info", text=text)


class GrowingLog:
    """A log as the scheduler keeps it."""

    def __init__(self) -> None:
        self.job = queued()
        self.parts: list[LogPart] = []
        self.attempt, self.count = 1, 0

    def take(self, step: str) -> None:
        self.count += 1
        if step == "attempt":
            self.attempt += 1
        elif step == "note":
            note = Note(attempt=self.attempt, place="after", line=line(f"note {self.count}"))
            self.job = self.job.model_copy(update={"notes": (*self.job.notes, note)})
        elif step == "part":
            lines = tuple(line(f"{self.count}.{number}") for number in range(self.count % 3 + 1))
            part = LogPart(attempt=self.attempt, sequence=self.count, lines=lines)
            written = sum(len(each.lines) for each in self.parts)
            self.parts.append(place_part(part, notes=len(self.job.notes), lines=written))

    def read(self, offset: int) -> tuple[list[str], int]:
        beyond = [part for part in self.parts if (part.end or 0) > offset]
        last = self.parts[-1] if self.parts else None
        notes = self.job.notes
        tail = follow_log(notes, beyond, offset=offset, last=last, known=len(notes), is_over=False)
        return [each.text for each in tail.lines], tail.next_offset


@given(steps)
@settings(max_examples=80)
def test_a_follower_reads_the_whole_log_whenever_it_asks(steps: list[str]) -> None:
    log, read, offset = GrowingLog(), list[str](), 0
    for step in [*steps, "read"]:
        log.take(step)
        if step == "read":
            lines, offset = log.read(offset)
            read += lines
    assert read == [each.text for each in compose_log(log.job, log.parts)]
    assert offset == len(read)


@given(steps)
@settings(max_examples=80)
def test_any_offset_gives_the_rest_of_the_log(steps: list[str]) -> None:
    log = GrowingLog()
    for step in steps:
        log.take(step)
    whole = [each.text for each in whole_log(log.job, log.parts)]
    for offset in range(len(whole) + 3):
        assert log.read(offset) == (whole[offset:], len(whole))


def test_a_note_that_came_after_the_parts_were_read_waits_for_the_next_time() -> None:
    log = GrowingLog()
    log.take("part")
    before = len(log.job.notes)
    log.take("note")
    last = log.parts[-1]
    tail = follow_log(log.job.notes, log.parts, offset=0, last=last, known=before, is_over=False)
    assert [each.text for each in tail.lines] == [each.text for each in whole_log(log.job, log.parts)][:-1]
    assert tail.next_offset == len(tail.lines)


def test_of_a_long_rest_the_beginning_comes_first() -> None:
    lines = [line(str(number)) for number in range(LINES_READ + 5)]
    tail = tail_of(lines, offset=0, is_over=True)
    assert (len(tail.lines), tail.next_offset, tail.is_complete) == (LINES_READ, LINES_READ, False)
    rest = tail_of(lines, offset=tail.next_offset, is_over=True)
    assert (len(rest.lines), rest.next_offset, rest.is_complete) == (5, LINES_READ + 5, True)


async def follow(world: World, job_id: JobId, offset: int) -> tuple[list[str], int, bool]:
    tail = await usecases.follow_job_log(world.store, ORG, job_id, offset=offset)
    return [each.text.split(":")[0] for each in tail.lines], tail.next_offset, tail.is_complete


async def test_a_log_is_followed_to_its_end(world: World) -> None:
    job_id = await world.queued()
    await usecases.note_started(world.store, wrapped(started(job_id)))
    await usecases.note_lines(world.store, wrapped(logged(job_id, 1, "reading", "still")))
    assert await follow(world, job_id, 0) == (["queued", "started on w1, attempt 1", "reading", "still"], 4, False)
    await usecases.cancel_job(world.store, world.clock, wrapped(cancel(job_id)))
    await usecases.note_lines(world.store, wrapped(logged(job_id, 2, "stopping")))
    assert await follow(world, job_id, 4) == (["asked to stop", "stopping"], 6, False)
    assert await follow(world, job_id, 6) == ([], 6, False)
    await usecases.note_cancelled(world.store, wrapped(told(TaskCancelled, job_id, seconds=9)))
    assert await follow(world, job_id, 6) == (["canceled"], 7, True)
    assert await follow(world, job_id, 3) == (["still", "asked to stop", "stopping", "canceled"], 7, True)


async def test_parts_that_a_version_before_kept_are_followed_too(world: World) -> None:
    job_id = await world.queued()
    await usecases.note_started(world.store, wrapped(started(job_id)))
    old = LogPart(attempt=1, sequence=1, lines=(line("old"),))
    await world.store.log_parts.add(ORG, job_id, old)
    assert await follow(world, job_id, 1) == (["started on w1, attempt 1", "old"], 3, False)
    await usecases.note_lines(world.store, wrapped(logged(job_id, 2, "new")))
    assert await follow(world, job_id, 3) == (["new"], 4, False)


@pytest.mark.parametrize("placed", [False, True])
def test_a_log_reads_as_before_whether_its_parts_have_a_place_or_not(placed: bool) -> None:
    begun = Note(attempt=1, place="before", line=line("started"))
    ended = Note(attempt=1, place="after", line=line("ended"))
    job: Job = queued().model_copy(update={"notes": (*queued().notes, begun, ended)})
    part = LogPart(attempt=1, sequence=1, lines=(line("work"),))
    part = place_part(part, notes=2, lines=0) if placed else part
    assert [each.text for each in compose_log(job, [part])][1:] == ["started", "work", "ended"]
