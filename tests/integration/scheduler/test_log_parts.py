"""Lines of workers in memory and in MongoDB: the same promises."""

from collections.abc import AsyncIterator

import pytest
from chassis.persistence.mongo import open_database
from contracts.messages.connector.task_events import LogLine
from contracts.values import JobId, OrganizationId
from scheduler.jobs.domain.log import LogPart
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


async def test_jobs_and_organizations_are_apart(parts: LogParts) -> None:
    await parts.add(ORG, JOB, part(1, "mine"))
    assert await parts.of(ORG, JobId("other")) == []
    assert await parts.of(OrganizationId("other"), JOB) == []
