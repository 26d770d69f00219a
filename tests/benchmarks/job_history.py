"""A page of the history of jobs, filtered and at any offset."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import TypeVar
from urllib.parse import urlencode

from chassis.persistence.mongo import Document
from contracts.messages.assignment import AppRef
from contracts.messages.scheduler import JobStatus
from contracts.task_types.base import TaskType
from contracts.tasks import Task
from contracts.values import AppId, JobId, OrganizationId, RunId
from pymongo import MongoClient
from scheduler.jobs.domain.history import History, row_of
from scheduler.jobs.domain.job import Job
from scheduler.jobs.store.history import CHAPTER_SEGMENTS, SEGMENT_JOBS, chapter_document, segment_document

from tests.benchmarks.bench import Bench, timed
from tests.benchmarks.result import Result, median, percentile

JOBS = 1_000_000
APPS = 200
ROUNDS = 40
DAYS = 365
T = TypeVar("T")
TYPES: tuple[TaskType, ...] = ("backup", "check")
STATUSES: tuple[JobStatus, ...] = ("succeeded", "succeeded", "succeeded", "failed", "canceled")


def job_history(bench: Bench) -> Result:
    """Pages of 50 by type, status, app and time, and at any offset, through the gateway."""
    count, chance = bench.size(JOBS), random.Random(41)
    now = datetime.now(UTC)
    tasks = [_task(number) for number in range(APPS)]
    _insert(bench, OrganizationId(bench.api().organization_id), _jobs(count, tasks, now, chance))
    with bench.connection() as connection:

        def page(**asked: str | int) -> bytes:
            return connection.get(f"/scheduling/jobs?{urlencode({'limit': 50, **asked})}")

        first = timed(page)
        took: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            app, month = chance.choice(tasks), now - timedelta(days=chance.randrange(DAYS))
            pages: tuple[tuple[str, dict[str, str | int]], ...] = (
                ("newest", {}),
                ("offset", {"offset": chance.randrange(count)}),
                ("app", {"resource_id": app.origin.id, "resource_type": "origin"}),
                ("type and status", {"task_type": "backup", "task_status": "failed"}),
                ("time", {"since": month.isoformat(), "until": (month + timedelta(days=30)).isoformat()}),
            )
            for name, asked in pages:
                took.setdefault(name, []).append(timed(partial(page, **asked)) * 1000)
    each = ", ".join(f"{name} {median(values):.1f}" for name, values in took.items())
    every = [value for values in took.values() for value in values]
    return Result(
        "job_history", median(every), "ms", "p50 50 ms", baseline=bench.baseline.get,
        p50=median(every), p99=percentile(every, 0.99),
        detail=f"pages of 50 of {count} jobs of one organization, over one connection of http.client that is kept; "
        f"medians: {each}; the first page after a start: {first:.1f} s",
    )  # fmt: skip


def _task(number: int) -> Task:
    source, store = AppId(_id(number)), AppId(_id(number % 5 + APPS))
    return Task(
        type=TYPES[number % len(TYPES)],
        origin=AppRef(id=source, revision=1, kind="source", name=f"source {number}"),
        target=AppRef(id=store, revision=1, kind="store", name="store"),
    )


def _jobs(count: int, tasks: list[Task], now: datetime, chance: random.Random) -> Iterator[Job]:
    """In the order in which they ended."""
    for number in range(count):
        at = now - timedelta(days=DAYS * (1 - number / count))
        job_id = JobId(_id(int(at.timestamp() * 1000) - chance.randrange(60_000), chance))
        status = chance.choice(STATUSES)
        yield Job.model_construct(
            id=job_id, run_id=RunId(_id(int(at.timestamp() * 1000), chance)), pool="default", status=status,
            task=chance.choice(tasks), schedule_at=at, created_at=at, started_at=at, stopped_at=at, attempt=1,
            worker="worker-1", notes=(),
        )  # fmt: skip


def _id(milliseconds: int, chance: random.Random | None = None) -> str:
    noise = (chance or random.Random(milliseconds)).getrandbits(74)
    digits = f"{milliseconds:012x}7{noise >> 62:03x}8{noise & (1 << 60) - 1:015x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _insert(bench: Bench, org: OrganizationId, jobs: Iterator[Job]) -> None:
    """As the scheduler keeps them, without the long way there."""
    with MongoClient[Document](bench.status()["mongodb_uri"]) as client:
        database = client["cairn_scheduler"]
        for chapter, some in enumerate(_batches(_batches(jobs, SEGMENT_JOBS), CHAPTER_SEGMENTS)):
            history, first = History(), chapter * CHAPTER_SEGMENTS
            for segment, each in enumerate(some, first):
                for job in each:
                    history.add(row_of(job), segment)
            database["job_segments"].insert_many(segment_document(org, *each) for each in enumerate(some, first))
            if len(some) == CHAPTER_SEGMENTS:
                database["job_chapters"].insert_one(chapter_document(org, chapter, history))


def _batches(many: Iterator[T], size: int) -> Iterator[list[T]]:
    return iter(lambda: list(islice(many, size)), [])
