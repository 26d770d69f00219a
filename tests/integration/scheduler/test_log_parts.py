"""Lines of workers in memory and in MongoDB: the same promises."""

import json
from collections.abc import AsyncIterator

import pytest
from chassis.persistence.mongo import open_database
from contracts.messages.connector.task_events import LogLine
from contracts.values import JobId, OrganizationId
from scheduler.jobs.domain.log import LINES_READ, LogPart, place_part
from scheduler.jobs.store.log_parts import LogParts, MemoryLogParts, MongoLogParts

from tests.support.environment import Corner
from tests.unit.scheduler.builder import NOON, ORG

JOB = JobId("job")


@pytest.fixture(params=["memory", "mongodb"])
async def parts(request: pytest.FixtureRequest, fresh_corner: Corner) -> AsyncIterator[LogParts]:
    if request.param == "memory":
        yield MemoryLogParts()
        return
    async with open_database(fresh_corner.settings(), "scheduler") as database:
        made = MongoLogParts(database["job_log_parts"])
        await made.setup()
        yield made


def part(sequence: int, *texts: str, attempt: int = 1) -> LogPart:
    lines = tuple(LogLine(at=NOON, level="info", text=text) for text in texts)
    return LogPart(attempt=attempt, sequence=sequence, lines=lines)


async def test_parts_come_back_as_they_were_said(parts: LogParts) -> None:
    odd = part(1, "", "tab\tquote\"' newline\n", "\u2028 \U0001f4a9 {$ne: 1}", "\\u0000")
    await parts.add(ORG, JOB, odd)
    assert await parts.of(ORG, JOB) == [odd]


async def test_the_first_of_two_equal_parts_stays(parts: LogParts) -> None:
    for text in ("first", "second"):
        await parts.add(ORG, JOB, part(1, text))
    await parts.add(ORG, JOB, part(1, "other attempt", attempt=2))
    assert sorted(p.lines[0].text for p in await parts.of(ORG, JOB)) == ["first", "other attempt"]


async def test_what_follows_an_offset_comes_in_its_order(parts: LogParts) -> None:
    placed = [place_part(part(n, "a", "b"), notes=n, lines=2 * n - 2) for n in range(1, 5)]
    for each in reversed(placed):
        await parts.add(ORG, JOB, each)
    await parts.add(ORG, JobId("other"), place_part(part(1, "x"), notes=1, lines=100))
    assert [each.end for each in placed] == [3, 6, 9, 12]
    assert await parts.after(ORG, JOB, 0) == placed
    assert await parts.after(ORG, JOB, 5) == placed[1:]
    assert await parts.after(ORG, JOB, 12) == []
    assert (await parts.last(ORG, JOB), await parts.count_lines(ORG, JOB)) == (placed[-1], 8)
    assert await parts.are_placed(ORG, JOB)


async def test_a_long_rest_ends_with_a_whole_part(parts: LogParts) -> None:
    half = ["x"] * (LINES_READ // 2)
    placed = [place_part(part(n, *half), notes=1, lines=len(half) * (n - 1)) for n in (1, 2, 3)]
    for each in placed:
        await parts.add(ORG, JOB, each)
    assert [each.sequence for each in await parts.after(ORG, JOB, 0)] == [1, 2]


async def test_parts_of_versions_before_have_no_place(parts: LogParts) -> None:
    assert (await parts.last(ORG, JOB), await parts.count_lines(ORG, JOB)) == (None, 0)
    await parts.add(ORG, JOB, part(1, "old", "older"))
    assert not await parts.are_placed(ORG, JOB)
    assert (await parts.last(ORG, JOB), await parts.count_lines(ORG, JOB)) == (None, 2)
    new = place_part(part(2, "new"), notes=1, lines=2)
    await parts.add(ORG, JOB, new)
    assert not await parts.are_placed(ORG, JOB)
    assert (await parts.last(ORG, JOB), await parts.count_lines(ORG, JOB)) == (new, 3)


async def test_a_document_of_a_version_before_is_read(fresh_corner: Corner) -> None:
    async with open_database(fresh_corner.settings(), "scheduler") as database:
        parts = MongoLogParts(database["job_log_parts"])
        await parts.setup()
        written = {"attempt": 1, "sequence": 1, "lines": [{"at": "2026-11-23T12:00:00Z", "level": "info", "text": "a"}]}
        document = {"_id": "job:1:1", "org": ORG, "job_id": JOB, "part": json.dumps(written)}
        await parts.collection.insert_one(document)
        assert await parts.of(ORG, JOB) == [part(1, "a")]
        assert not await parts.are_placed(ORG, JOB)
        assert await parts.count_lines(ORG, JOB) == 1


async def test_jobs_with_parts_are_found_by_age_and_lose_them_all(parts: LogParts) -> None:
    old, older = JobId("01-b"), JobId("01-a")
    for job_id in (old, older):
        for each in (part(1, "a"), part(2, "b", attempt=12)):
            await parts.add(ORG, job_id, each)
    assert await parts.first_between("", "02") == (ORG, older)
    assert await parts.first_between(older, "02") == (ORG, old)
    assert await parts.first_between(old, "02") is None
    assert await parts.first_between("", older) is None
    await parts.remove(OrganizationId("other"), old)
    assert len(await parts.of(ORG, old)) == 2
    await parts.remove(ORG, old)
    assert (await parts.of(ORG, old), len(await parts.of(ORG, older))) == ([], 2)


async def test_jobs_and_organizations_are_apart(parts: LogParts) -> None:
    await parts.add(ORG, JOB, part(1, "mine"))
    assert await parts.of(ORG, JobId("other")) == []
    assert await parts.of(OrganizationId("other"), JOB) == []
