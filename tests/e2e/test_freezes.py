"""A process that stands still keeps nobody waiting, and what was asked meanwhile is done exactly once."""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil
import pytest
from cairn_local.api_client import Api

from tests.e2e.conftest import Directory, Platform
from tests.support.waiting import eventually

FROZEN = ("kafka", "postgres", "mongodb", "catalog", "assignment", "connector", "scheduler", "restore-index")
GET_SECONDS, WRITE_SECONDS, READY_SECONDS = 10.0, 12.0, 4.0


@contextmanager
def frozen(platform: Platform, name: str) -> Iterator[None]:
    """Stop a process and its children, as a debugger would. Not every platform has a `postgres`."""
    pids = [p.pid for p in platform.status().processes if p.name == name and p.pid]
    family = [each for pid in pids for each in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))]
    for process in family:
        with suppress(psutil.NoSuchProcess):  # A child that was done before.
            process.suspend()
    try:
        yield
    finally:
        # Children first: a process that goes on may end them at once, as what they work on was taken over.
        for process in reversed(family):
            with suppress(psutil.NoSuchProcess):
                process.resume()


@dataclass(frozen=True)
class Question:
    """A request, and how long its answer may take."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    key: str = ""

    @property
    def seconds(self) -> float:
        if self.path == "/health/ready":
            return READY_SECONDS
        return GET_SECONDS if self.method == "GET" else WRITE_SECONDS


@dataclass(frozen=True)
class Told:
    """What came of a request."""

    question: Question
    status: int
    headers: Mapping[str, str]
    body: Any
    seconds: float

    @property
    def fault(self) -> str:
        """What is wrong with it; empty if nothing is."""
        name = f"{self.question.method} {self.question.path}: {self.status} in {self.seconds:.1f} s"
        if self.seconds > self.question.seconds:
            return f"{name} is late"
        if self.status >= 500 and (self.status != 503 or "retry-after" not in self.headers):
            return f"{name} {self.body}"
        return ""


class Client:
    """Asks many things at once; a refusal is an answer."""

    def __init__(self, api: Api) -> None:
        self._url = f"{api.url}/api/v1"
        self._authorization = api.call("GET", "/account/me").request.headers["Authorization"]

    def ask(self, question: Question) -> Told:
        headers = {"Authorization": self._authorization} | ({"Idempotency-Key": question.key} if question.key else {})
        began = time.monotonic()
        answer = httpx.request(
            question.method,
            f"{self._url}{question.path}",
            json=question.body,
            headers=headers,
            timeout=60,
            trust_env=False,
        )
        took = time.monotonic() - began
        body = answer.json() if "json" in answer.headers.get("content-type", "") else None
        return Told(question, answer.status_code, answer.headers, body, took)

    def ask_all(self, questions: list[Question]) -> list[Told]:
        with ThreadPoolExecutor(len(questions)) as pool:
            return list(pool.map(self.ask, questions))


@dataclass(frozen=True)
class Ground:
    """What the questions are about."""

    urn_id: str
    source: str
    store: str
    snapshot: str
    job: str


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with one file."""
    root = tmp_path_factory.mktemp("small") / "source"
    root.mkdir()
    (root / "letter.txt").write_text("Dear reader")
    return root


@pytest.fixture
def ground(api: Api, directory: Directory, small: Path, tmp_path: Path) -> Ground:
    """A store with one restore point."""
    urn_id, source = directory("source", small)
    _, store = directory("store", tmp_path / "store")
    api.post(f"/connectors/{store}/stores/create")
    job = api.wait_for_run(api.start_backup(source, store))
    [point] = api.snapshots(store)
    return Ground(urn_id, source, store, point["snapshot_id"], job["id"])


def reads(ground: Ground) -> list[Question]:
    paths = (
        "/health/ready",
        "/account/me",
        "/scheduling/jobs",
        f"/scheduling/jobs/{ground.job}",
        f"/connectors/{ground.store}",
        f"/snapshots/store/{ground.store}",
        f"/snapshots/{ground.snapshot}/files?path=/",
        f"/snapshots/{ground.snapshot}/content?path=/letter.txt",
        "/integrations/installed",
        f"/integrations?type=source&urn_id={ground.urn_id}",
    )
    return [Question("GET", path) for path in paths]


def writes(api: Api, ground: Ground, name: str) -> list[Question]:
    backup = {"type": "backup", "origin_id": ground.source, "target_id": ground.store}
    tried = {"type": "source", "name": name, "urn_id": ground.urn_id, "fields": {"root": {"value": "/srv"}}}
    return [
        Question("POST", api.organization("/connectors/dry-run"), tried),
        Question("POST", api.organization("/inventories"), {"name": name, "type": "self-managed"}, key=name),
        Question("POST", "/scheduling/scheduler/run", backup, key=f"{name}-run"),
        Question("POST", f"/connectors/{ground.store}/test"),
        Question("POST", f"/connectors/{ground.store}/stores/refresh"),
    ]


@pytest.mark.parametrize("name", FROZEN)
def test_every_request_is_answered_in_time_while_a_process_stands_still(
    platform: Platform, api: Api, ground: Ground, name: str
) -> None:
    client, mark = Client(api), f"frozen-{name}-{uuid4()}"
    questions = [*reads(ground), *writes(api, ground, mark)]
    with frozen(platform, name):
        told = client.ask_all(questions)
    faults = [each.fault for each in told if each.fault]
    assert not faults, "\n".join(faults)

    eventually(lambda: platform.status().healthy, deadline_seconds=60)
    done = eventually(lambda: _settled(client, told), deadline_seconds=90)
    assert {each.status for each in done} <= {200, 201, 202}
    assert [i["name"] for i in _inventories(api)].count(mark) == 1
    eventually(lambda: len(_backups(api, ground)) == 2, deadline_seconds=60)


def test_a_gateway_that_stood_still_answers_what_came_meanwhile(platform: Platform, api: Api) -> None:
    client, mark = Client(api), f"frozen-gateway-{uuid4()}"
    creation = Question("POST", api.organization("/inventories"), {"name": mark, "type": "self-managed"}, key=mark)
    with ThreadPoolExecutor(1) as pool:
        with frozen(platform, "gateway"):
            told = pool.submit(client.ask, creation)
            with pytest.raises(TimeoutError):
                told.result(timeout=1)
        assert told.result().status in (200, 201)
    assert [i["name"] for i in _inventories(api)].count(mark) == 1


def _settled(client: Client, told: list[Told]) -> list[Told]:
    """What came of the writes with a key in the end: refused ones are repeated, operations are waited for."""
    again = [client.ask(each.question) for each in told if each.question.key]
    assert all(each.status < 300 for each in again), [(each.status, each.body) for each in again]
    for each in [*told, *again]:
        if each.status == 202:
            operation = client.ask(Question("GET", f"/operations/{each.body['operation_id']}"))
            assert operation.body["status"] in ("succeeded", "failed"), operation.body
    return again


def _inventories(api: Api) -> list[dict[str, Any]]:
    return list(api.get(api.organization("/inventories"))["items"])


def _backups(api: Api, ground: Ground) -> list[dict[str, Any]]:
    jobs = [job for job in api.get("/scheduling/jobs")["items"] if job["task"]["origin"]["id"] == ground.source]
    assert all(job["status"] == "succeeded" for job in jobs), [job["status"] for job in jobs]
    return jobs
