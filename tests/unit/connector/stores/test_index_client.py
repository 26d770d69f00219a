"""A restore index that is away for a moment costs no job an attempt."""

from typing import Any

import pytest
from chassis.errors import Unavailable
from connector.stores.index_client import IndexClient
from contracts.errors import NotFound

from tests.unit.connector.parts import ORG


class Failing:
    """A restore index that fails this often before it answers."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)

    async def post(self, path: str, *_: Any) -> dict[str, Any]:
        if self.failures:
            raise self.failures.pop(0)
        return {path.rpartition("/")[2]: {"a" * 64: {"files": 1, "directories": 2, "bytes": 3}}}


def client(service: Any) -> IndexClient:
    return IndexClient(service)


async def test_a_question_without_an_answer_is_asked_again() -> None:
    service = Failing(*[Unavailable("service_unavailable", "No answer.") for _ in range(3)])

    known = await client(service).known(ORG, "store", ["a" * 64])

    assert known["a" * 64].dirs == 2
    assert service.failures == []


async def test_an_answer_that_is_an_error_is_not_asked_for_again() -> None:
    with pytest.raises(NotFound):
        await client(Failing(NotFound("gone", "It is gone."), NotFound("gone", "Asked twice."))).known(ORG, "s", ["a"])


class Reserving:
    """A restore index that has decided about what is claimed for some time only."""

    async def get(self, path: str, _: Any, params: Any = None) -> dict[str, Any]:
        if params != {"reserved": "true"}:
            raise NotFound("deletion_not_found", "Nothing is claimed for this job.")
        return {"store_id": "store", "job_id": path.rpartition("/")[2], "deletable": ["a" * 64]}


async def test_what_is_claimed_for_some_time_is_told_to_who_asks_for_it() -> None:
    index = client(Reserving())

    found = await index.await_deletion(ORG, "store", "job.1", patience_seconds=0, reserved=True)

    assert found is not None
    assert (found.job_id, found.deletable) == ("job.1", ("a" * 64,))
    assert await index.await_deletion(ORG, "store", "job.1", patience_seconds=0) is None


class Listing:
    """A restore index that lists restore points, of which a job deletes one and another job may have deleted one."""

    async def get(self, *_: Any) -> dict[str, Any]:
        facts = {"store_id": "store", "time": "2026-01-01T00:00:00Z", "tree_id": "c" * 64}
        going = {"snapshot_id": "b" * 64, "being_deleted": True}
        maybe = {"snapshot_id": "d" * 64, "maybe_deleted": True}
        return {"items": [facts | {"snapshot_id": "a" * 64}, facts | going, facts | maybe]}


async def test_what_a_job_deletes_is_not_among_what_stays() -> None:
    assert await client(Listing()).staying_points(ORG, "store") == {"a" * 64}
