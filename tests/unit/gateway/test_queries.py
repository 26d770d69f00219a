"""What the query of a request may say: each parameter once, and nothing that makes no sense."""

import httpx
import pytest
from contracts.errors import Invalid
from contracts.values import OrganizationId
from gateway.access.principal import Principal
from gateway.areas.scheduling.job_search import JobsAsked, find_jobs
from gateway.areas.scheduling.routes import list_jobs
from gateway.areas.search.routes import search
from gateway.areas.stream.routes import listen
from gateway.http.query_parameters import check_query, single_parameters
from starlette.requests import Request

from tests.unit.gateway.services import a_problem, clients_of

APP = {"id": "a", "name": "nas", "kind": "source", "revision": 1}
STORE = {"id": "b", "name": "archive", "kind": "store", "revision": 1}
JOB = {
    "id": "j-1", "run_id": "r-1", "status": "failed", "created_at": "2026-11-23T08:00:00.000Z",
    "task": {"type": "backup", "origin": APP, "target": STORE},
}  # fmt: skip


def asking(endpoint: object, query: str) -> Request:
    return Request({"type": "http", "query_string": query.encode(), "endpoint": endpoint, "headers": []})


@pytest.mark.parametrize(
    "query", ["task_type=sync&task_type=check", "limit=1&offset=0&limit=2", "since=2026&x&since=1"]
)
def test_what_has_one_value_and_is_given_twice_is_refused(query: str) -> None:
    with pytest.raises(Invalid, match="given more than once") as refused:
        check_query(asking(list_jobs, query))
    assert list(refused.value.fields) == [query.partition("=")[0]]


@pytest.mark.parametrize(
    ("endpoint", "query"),
    [
        (list_jobs, "task_type=sync&unknown=1&unknown=2"),
        (listen, "kind=job&kind=log&id=a&id=b"),
        (search, "ext=pdf&ext=txt&type=file&type=dir"),
    ],
)
def test_lists_and_unknown_parameters_may_be_repeated(endpoint: object, query: str) -> None:
    check_query(asking(endpoint, query))


def test_parameters_of_dependencies_and_models_are_known() -> None:
    assert {"limit", "offset", "task_id"} <= single_parameters(list_jobs)
    assert {"q", "path", "source_id"} <= single_parameters(search)
    assert not {"ext", "type"} & single_parameters(search)


async def listed(asked: JobsAsked, *, limit: int = 50, offset: int = 0) -> list[str]:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/runs/r-1"):
            return httpx.Response(200, json={"run_id": "r-1", "job": JOB})
        return a_problem(404, "run_not_found")

    who = Principal(account_id="someone", organization_id=OrganizationId("org"))
    found = await find_jobs(clients_of(answer).scheduler, who, asked, limit=limit, offset=offset)
    assert found.total == (1 if found.items or offset else 0)
    return [job.id for job in found.items]


async def test_the_task_of_a_job_is_its_run() -> None:
    assert await listed(JobsAsked(task_id="r-1", task_type="backup", status="failed")) == ["j-1"]
    assert await listed(JobsAsked(task_id="r-1", resource_id="b", resource_type="target")) == ["j-1"]
    assert await listed(JobsAsked(task_id="r-1"), offset=1) == []
    for other in (
        JobsAsked(task_id="r-2"),
        JobsAsked(task_id="r-1", task_type="check"),
        JobsAsked(task_id="r-1", resource_id="b", resource_type="origin"),
    ):
        assert await listed(other) == []


async def test_a_part_in_a_job_without_the_connector_that_has_it_is_refused() -> None:
    with pytest.raises(Invalid, match="needs resource_id") as refused:
        await listed(JobsAsked(resource_type="origin"))
    assert list(refused.value.fields) == ["resource_type"]
