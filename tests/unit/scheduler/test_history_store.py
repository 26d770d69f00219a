"""What a process reads of the history of jobs, where nobody waits for it any more."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from chassis.persistence.mongo import Collection
from scheduler.jobs.domain.history import History, Row
from scheduler.jobs.store.history import CHAPTER_SEGMENTS, MongoJobHistory, chapter_document

from tests.unit.scheduler.builder import ORG


class _Chapters:
    """One chapter, handed out when it may be, and how often it was asked for."""

    def __init__(self, history: History) -> None:
        self.asked, self.may_go_on = 0, asyncio.Event()
        self._chapter = chapter_document(ORG, 0, history)

    def find(self, _: object) -> "_Chapters":
        return self

    def sort(self, *_: object) -> AsyncIterator[Any]:
        self.asked += 1
        return self._each()

    async def _each(self) -> AsyncIterator[Any]:
        await self.may_go_on.wait()
        yield self._chapter


def a_history() -> History:
    history = History()
    history.add(Row("019ab000-0000-7000-8000-000000000000", "backup", "failed", "source", "store"), 3)
    history.note_end(3, "2026-11-23")
    return history


class _NoSegments:
    async def find_one(self, _: object) -> None:
        return None


async def test_a_request_that_gives_up_leaves_what_it_began_to_the_next() -> None:
    """A million jobs take longer to read than a request has: one that began anew each time would never be answered."""
    chapters = _Chapters(a_history())
    store = MongoJobHistory(cast("Collection", _NoSegments()), cast("Collection", chapters))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await store.of(ORG)
    chapters.may_go_on.set()
    assert (await store.of(ORG)).next_segment == CHAPTER_SEGMENTS
    assert chapters.asked == 1


async def test_a_chapter_says_when_the_last_job_of_each_segment_ended() -> None:
    chapters = _Chapters(a_history())
    chapters.may_go_on.set()
    read = await MongoJobHistory(cast("Collection", _NoSegments()), cast("Collection", chapters)).of(ORG)
    assert read.ends == {3: "2026-11-23"}
