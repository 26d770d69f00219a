"""A page of jobs: those in the index, which go on or ended a moment ago, and those of the history, in one order."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta

from chassis.ids import utc_now
from chassis.persistence.aggregates import Aggregates, Page
from contracts.values import JobId, OrganizationId

from scheduler.jobs.domain.history import History, JobFilter, KeyPage, Row, count, key_of, page_of, row_of
from scheduler.jobs.domain.job import Job
from scheduler.jobs.domain.retention import first_day_kept
from scheduler.jobs.store.history import JobHistory
from scheduler.jobs.store.job_index import JobIndex

# Half of the connections to the database, so that a listing leaves room for events of workers.
LOOKUPS_AT_ONCE = 16


class JobListing:
    """Finds jobs by what is asked for, newest first."""

    def __init__(
        self, jobs: Aggregates[Job], index: JobIndex, history: JobHistory, *, kept: timedelta | None = None
    ) -> None:
        """`kept`: how long jobs are kept after their end; what is over is listed no more while it is being removed."""
        self._jobs = jobs
        self._index = index
        self._history = history
        self._kept = kept

    async def page(self, org: OrganizationId, asked: JobFilter, *, limit: int, offset: int) -> Page[Job]:
        """How many jobs there are of those that are asked for, and some of them, newest first."""
        # The index first: a job that is packed in between is then in both, and counted once.
        rows = await self._rows(org, by_app=asked.app_id is not None)
        return await self._page(org, rows, await self._kept_history(org), asked, limit=limit, offset=offset)

    async def newest(self, org: OrganizationId, each_asked: Sequence[JobFilter]) -> list[Job | None]:
        """For each filter the newest job that it asks for; the index and the history are read once for all of them."""
        rows = await self._rows(org, by_app=any(asked.app_id is not None for asked in each_asked))
        history, slots = await self._kept_history(org), asyncio.Semaphore(LOOKUPS_AT_ONCE)
        # Once for all: hundreds of filters, each looking at thousands of jobs, would keep everybody else waiting.
        of_app = _by_app(rows)

        async def first(asked: JobFilter) -> Job | None:
            async with slots:
                likely = rows if asked.app_id is None else of_app.get(asked.app_id, [])
                # Two: the newest may be one that is being saved, and not there yet.
                page = await self._page(org, likely, history, asked, limit=2, offset=0)
                return page.items[0] if page.items else None

        return list(await asyncio.gather(*map(first, each_asked)))

    async def _kept_history(self, org: OrganizationId) -> History:
        history = await self._history.of(org)
        if self._kept is not None:
            # They are being removed, by the same rule.
            history.drop_ended_before(first_day_kept(utc_now() - self._kept).isoformat())
        return history

    async def _page(
        self, org: OrganizationId, rows: Sequence[Row], history: History, asked: JobFilter, *, limit: int, offset: int
    ) -> Page[Job]:
        loose = [row for row in rows if row.matches(asked)]
        packed = await self.packed_of(org, history, [JobId(row.id) for row in loose])
        loose = [row for row in loose if row.id not in packed]
        total, (keys, above) = self._choose(history, asked, loose, limit=limit, offset=offset)
        chosen = [JobId(row.id) for row in loose if row.key in keys]
        going_on, packed_jobs = await asyncio.gather(
            self._loaded(org, chosen, asked), self._packed(org, history, keys, asked)
        )
        newest = sorted([*going_on, *packed_jobs], key=lambda job: job.id, reverse=True)
        # Of those that other pages show only the index is asked, so that the total may be ahead of them for a moment.
        return Page[Job](total=total - len(chosen) + len(going_on), items=newest[offset - above :][:limit])

    def _choose(
        self, history: History, asked: JobFilter, loose: Sequence[Row], *, limit: int, offset: int
    ) -> tuple[int, KeyPage]:
        lists = [*history.matching(asked), sorted(row.key for row in loose)]
        first, last = asked.keys()
        return count(lists, first, last), page_of(lists, first, last, offset=offset, limit=limit)

    async def packed_of(self, org: OrganizationId, history: History, ids: Sequence[JobId]) -> set[JobId]:
        """Those of the jobs that the history has. They may be in the index too: a process may die in between."""
        keys = {key_of(job_id) for job_id in ids}
        segments = {number for key in keys for number in history.segments_of(key)}
        # A key alone is no proof, as two jobs may have one by chance.
        found = {job.id for job in await self._history.jobs_in(org, segments, keys=keys)}
        return found.intersection(ids)

    async def get_all(self, org: OrganizationId, ids: Sequence[JobId]) -> list[Job]:
        """The jobs with these ids that there are."""
        slots = asyncio.Semaphore(LOOKUPS_AT_ONCE)

        async def look(job_id: JobId) -> Job | None:
            async with slots:
                return await self._jobs.get(org, job_id)

        return [job for job in await asyncio.gather(*map(look, ids)) if job is not None]

    async def _rows(self, org: OrganizationId, *, by_app: bool) -> list[Row]:
        rows = await self._index.rows(org)
        if not by_app:
            return rows
        # Entries of an earlier version do not say what a job is about.
        unknown = await self.get_all(org, [JobId(row.id) for row in rows if not row.origin])
        return [*(row for row in rows if row.origin), *map(row_of, unknown)]

    async def _loaded(self, org: OrganizationId, ids: Sequence[JobId], asked: JobFilter) -> list[Job]:
        # The index is ahead of a job that is being saved: what is shown of one must be what was asked for.
        return [job for job in await self.get_all(org, ids) if row_of(job).matches(asked)]

    async def _packed(self, org: OrganizationId, history: History, keys: frozenset[int], asked: JobFilter) -> list[Job]:
        segments = {number for key in keys for number in history.segments_of(key)}
        jobs = await self._history.jobs_in(org, segments, keys=keys)
        return [job for job in jobs if row_of(job).matches(asked)]


def _by_app(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows of each app, as either party."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        for app_id in {row.origin, row.target}:
            found.setdefault(app_id, []).append(row)
    return found
