"""Jobs over Kafka and MongoDB: commands in, work out, news of workers in, answers over HTTP."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from chassis.ids import new_id
from contracts.envelope import Envelope
from contracts.measures import Sample, Usage
from contracts.messages.connector.task_events import (
    PathOutcome,
    PhaseBegun,
    TaskCancelled,
    TaskFailed,
    TaskMeasured,
    TaskSucceeded,
)
from contracts.messages.outcomes import CommandOutcome, Problem
from contracts.messages.scheduler import JobChanged, RunTask, TaskCancelRequested, TaskRequested
from contracts.task_types.backup import BackupResult
from contracts.topics import CONNECTOR_EVENTS, OUTCOMES, SCHEDULER_COMMANDS, dead_letters, tasks
from contracts.values import OrganizationId
from scheduler.app import SCHEDULER
from scheduler.jobs.domain.retention import id_at
from scheduler.settings import Settings

from tests.support.door import InternalApi, tokenless_client
from tests.support.environment import Corner
from tests.support.kafka import Ear, Wire, header, open_wire, to_envelope
from tests.support.waiting import eventually_async
from tests.unit.scheduler.builder import ORG, after, app, backup, cancel, logged, progressed, run_task, started, told


async def outcome(ear: Ear, command_id: str) -> CommandOutcome:
    answer: CommandOutcome = (await ear.message(CommandOutcome, lambda o: o.command_id == command_id)).data
    return answer


async def queue(wire: Wire, ear: Ear, **facts: Any) -> Envelope[RunTask]:
    sent = await wire.publish(run_task(**facts))
    assert (await outcome(ear, sent.id)).accepted
    return sent  # type: ignore[return-value]


async def job_of(door: InternalApi, job_id: str) -> dict[str, Any]:
    answer = await door.get(f"/internal/jobs/{job_id}")
    assert answer.status_code == 200, answer.text
    job: dict[str, Any] = answer.json()
    return job


async def until(door: InternalApi, job_id: str, **facts: object) -> dict[str, Any]:
    async def reached() -> dict[str, Any] | None:
        job = await job_of(door, job_id)
        return job if facts.items() <= job.items() else None

    job = await eventually_async(reached)
    assert job
    return job


async def log_of(door: InternalApi, job_id: str) -> list[str]:
    return [line["text"] for line in (await door.get(f"/internal/jobs/{job_id}/log")).json()["lines"]]


async def test_a_job_from_the_run_to_its_log(door: InternalApi, wire: Wire, ear: Ear) -> None:
    sent = await queue(wire, ear)
    job_id, run_id = sent.data.job_id, sent.data.run_id
    requested = await ear.message(TaskRequested, lambda e: e.job_id == job_id)
    assert (requested.data.run_id, requested.data.task, requested.causation_id) == (run_id, sent.data.task, sent.id)
    for event in (
        started(job_id),
        logged(job_id, 1, "opening", "reading"),
        progressed(job_id, 0.5),
        told(TaskSucceeded, job_id, seconds=9, backup=BackupResult(snapshot_id="ab" * 32, files_processed=3)),
    ):
        await wire.publish(event)
    job = await until(door, job_id, status="succeeded")
    assert job["started_at"] == "2026-11-23T12:00:01.000Z"
    assert job["stopped_at"] == "2026-11-23T12:00:09.000Z"
    assert (job["worker"], job["attempt"], job["problem"]) == ("w1", 1, None)
    assert {name: job["progress"][name] for name in ("phase", "fraction", "files_done")} == {
        "phase": "done", "fraction": 1, "files_done": 3
    }  # fmt: skip
    assert job["result"]["files_processed"] == 3
    assert job["task"]["origin"]["name"] == "Photos"
    assert (await door.get(f"/internal/runs/{run_id}")).json() == {"run_id": run_id, "job": job}
    assert [t.split(":")[0] for t in await log_of(door, job_id)] == [
        "queued", "started on w1, attempt 1", "opening", "reading", "succeeded"
    ]  # fmt: skip
    changed = [await ear.message(JobChanged, lambda e, s=s: (e.job_id, e.status) == (job_id, s)) for s in (
        "queued", "running", "succeeded"
    )]  # fmt: skip
    assert [e.data.attempt for e in changed] == [0, 1, 1]


async def test_measures_and_log_of_a_job_can_be_followed(door: InternalApi, wire: Wire, ear: Ear) -> None:
    job_id = (await queue(wire, ear)).data.job_id
    sample = Sample(at=after(3), seconds=1, mean=Usage(cpu_percent=50, read_bps=8))
    measured = told(
        TaskMeasured, job_id, sequence=1, samples=(sample,), phases=(PhaseBegun(name="transferring", at=after(2)),),
        paths=(PathOutcome(path="/a", status="error"),), warning_count=1,
    )  # fmt: skip
    for event in (started(job_id), logged(job_id, 1, "reading"), measured, measured, logged(job_id, 2, "still")):
        await wire.publish(event)
    await until(door, job_id, status="running")

    async def log_from(offset: int) -> dict[str, Any]:
        read: dict[str, Any] = (await door.get(f"/internal/jobs/{job_id}/log?offset={offset}")).json()
        return read

    first = await eventually_async(lambda: _whole(log_from, 4))
    assert [line["text"].split(":")[0] for line in first["lines"]] == [
        "queued", "started on w1, attempt 1", "reading", "still"
    ]  # fmt: skip
    await wire.publish(told(TaskSucceeded, job_id, seconds=9))
    await until(door, job_id, status="succeeded")
    rest = await log_from(4)
    assert ([line["text"] for line in rest["lines"]], rest["next_offset"], rest["is_complete"]) == (
        ["succeeded"], 5, True
    )  # fmt: skip
    kept = (await door.get(f"/internal/jobs/{job_id}/measures")).json()
    assert [each["mean"]["cpu_percent"] for each in kept["samples"]] == [50]
    assert (kept["highest"]["read_bps"], kept["highest"]["written_bps"]) == (8, None)
    assert [(each["name"], each["seconds"]) for each in kept["phases"]] == [("transferring", 7)]
    assert (kept["paths"], kept["warning_count"]) == ([{"path": "/a", "status": "error"}], 1)
    assert (await door.get("/internal/jobs/none/measures")).status_code == 404


async def _whole(read: Callable[[int], Awaitable[dict[str, Any]]], lines: int) -> dict[str, Any] | None:
    log = await read(0)
    return log if log["next_offset"] == lines else None


async def test_a_second_delivery_changes_nothing(door: InternalApi, wire: Wire, ear: Ear) -> None:
    sent = await queue(wire, ear)
    job_id = sent.data.job_id
    begun = await wire.publish(started(job_id))
    lines = await wire.publish(logged(job_id, 1, "once"))
    done = await wire.publish(told(TaskSucceeded, job_id, seconds=9))
    first = await until(door, job_id, status="succeeded")
    for message in (sent, begun, lines, done):
        await wire.publish(message)
    outcomes = await ear.until(lambda heard: _count(heard, CommandOutcome.TYPE, sent.id) == 2)
    assert _count(outcomes, TaskRequested.TYPE, sent.id) == 1
    marker = await queue(wire, ear)
    await wire.publish(started(marker.data.job_id))
    await until(door, marker.data.job_id, status="running")
    assert await job_of(door, job_id) == first
    assert (await log_of(door, job_id)).count("once") == 1


def _count(heard: list[Any], kind: str, cause: str) -> int:
    return sum(header(r, "ce_type") == kind and header(r, "ce_causationid") == cause for r in heard)


async def test_a_takeover_fences_the_older_attempt(door: InternalApi, wire: Wire, ear: Ear) -> None:
    job_id = (await queue(wire, ear)).data.job_id
    problem = Problem(code="engine_failed", kind="failed", detail="The engine ended.")
    for event in (
        started(job_id, worker="w1"),
        logged(job_id, 1, "first try"),
        started(job_id, attempt=2, worker="w2"),
        logged(job_id, 2, "from the grave"),
        told(TaskFailed, job_id, attempt=1, problem=problem),
        told(TaskSucceeded, job_id, attempt=2, seconds=30),
        told(TaskFailed, job_id, attempt=3, problem=problem),
    ):
        await wire.publish(event)
    job = await until(door, job_id, status="succeeded")
    assert (job["attempt"], job["worker"], job["problem"]) == (2, "w2", None)
    log = await log_of(door, job_id)
    assert "first try" in log
    assert "from the grave" not in log


async def test_a_running_job_is_canceled_when_the_worker_says_so(door: InternalApi, wire: Wire, ear: Ear) -> None:
    job_id = (await queue(wire, ear)).data.job_id
    await wire.publish(started(job_id))
    await until(door, job_id, status="running")
    asked = await wire.publish(cancel(job_id))
    assert (await outcome(ear, asked.id)).accepted
    await ear.message(TaskCancelRequested, lambda e: e.job_id == job_id)
    assert (await job_of(door, job_id))["status"] == "running"
    await wire.publish(told(TaskCancelled, job_id, seconds=5))
    job = await until(door, job_id, status="canceled")
    assert job["stopped_at"] == "2026-11-23T12:00:05.000Z"
    again = await wire.publish(cancel(job_id))
    problem = (await outcome(ear, again.id)).problem
    assert problem is not None
    assert (problem.code, problem.kind) == ("job_finished", "conflict")


async def test_a_queued_job_is_canceled_when_a_worker_says_so(door: InternalApi, wire: Wire, ear: Ear) -> None:
    job_id = (await queue(wire, ear)).data.job_id
    asked = await wire.publish(cancel(job_id))
    assert (await outcome(ear, asked.id)).accepted
    await ear.message(TaskCancelRequested, lambda e: e.job_id == job_id)
    assert (await job_of(door, job_id))["status"] == "queued"
    await wire.publish(told(TaskCancelled, job_id, seconds=5))
    job = await until(door, job_id, status="canceled")
    assert (job["started_at"], job["stopped_at"]) == (None, "2026-11-23T12:00:05.000Z")
    assert "canceled" in await log_of(door, job_id)


async def test_a_job_without_news_is_asked_for_again(fresh_corner: Corner) -> None:
    settings = fresh_corner.settings(Settings, look_seconds=0.1, silence_seconds=0.2)
    async with SCHEDULER.open_app(settings), open_wire(settings) as wire, wire.listening(OUTCOMES, tasks()) as ear:
        job_id = (await queue(wire, ear)).data.job_id

        def asked() -> list[Any]:
            requests = [to_envelope(r) for r in ear.heard if header(r, "ce_type") == TaskRequested.TYPE]
            return [r.data for r in requests if r.data.job_id == job_id]  # type: ignore[attr-defined]

        await ear.until(lambda _: len(asked()) >= 3)
    assert all(request == asked()[0] for request in asked())


async def test_a_job_that_was_kept_long_enough_is_removed(fresh_corner: Corner) -> None:
    settings = fresh_corner.settings(Settings, job_retention_days=0.5, job_clean_up_seconds=0.1)
    async with SCHEDULER.open_app(settings) as served, tokenless_client(served) as http, open_wire(settings) as wire:
        door = InternalApi(http, settings, org=ORG)
        # Made and ended days ago, as its id and the event of its end say; the other one is not over.
        old, open_one = (id_at(after(0)) + new_id()[13:] for _ in range(2))
        async with wire.listening(OUTCOMES) as ear:
            for job_id in (old, open_one):
                await outcome(ear, (await wire.publish(run_task().model_copy(update={"job_id": job_id}))).id)
        await wire.publish(told(TaskSucceeded, old, seconds=9))

        async def is_gone() -> bool:
            return (await door.get(f"/internal/jobs/{old}")).status_code == 404

        await eventually_async(is_gone, 20)
        listed = (await door.get("/internal/jobs")).json()
        assert [job["id"] for job in listed["items"]] == [open_one]


@pytest.mark.parametrize(
    ("command", "code", "kind"),
    [
        (run_task(backup(target=app("source"))), "target_kind_wrong", "invalid"),
        (run_task(backup(origin=app("store"))), "origin_kind_wrong", "invalid"),
        (cancel(new_id()), "job_not_found", "not_found"),
    ],
)
async def test_a_refusal_is_an_outcome(wire: Wire, ear: Ear, command: Any, code: str, kind: str) -> None:
    sent = await wire.publish(command)
    answer = await outcome(ear, sent.id)
    assert answer.problem is not None
    assert (answer.accepted, answer.problem.code, answer.problem.kind) == (False, code, kind)


async def test_news_of_an_unknown_job_become_dead_letters(door: InternalApi, wire: Wire, ear: Ear) -> None:
    sent = await wire.publish(started(new_id()))

    async def is_dead_letter() -> bool:
        return any(header(r, "ce_id") == sent.id for r in await wire.read(dead_letters(CONNECTOR_EVENTS)))

    await eventually_async(is_dead_letter, 20)


async def test_a_message_after_a_malformed_one_is_handled(door: InternalApi, wire: Wire, ear: Ear) -> None:
    good = run_task()
    headers = [("ce_id", b"x1"), ("ce_source", b"t"), ("ce_specversion", b"1.0"), ("ce_type", RunTask.TYPE.encode())]
    for body in (b"{", b"{}", b'{"organization_id": "o\\u0000"}', b"\xff"):
        await wire.send(SCHEDULER_COMMANDS, body, key=good.key.encode(), headers=headers)
    sent = await wire.publish(good)
    assert (await outcome(ear, sent.id)).accepted
    letters = await wire.read(dead_letters(SCHEDULER_COMMANDS))
    assert len([r for r in letters if header(r, "ce_id") == "x1"]) == 4


async def test_jobs_are_listed_by_pages_newest_first(door: InternalApi, wire: Wire, ear: Ear) -> None:
    org = OrganizationId(new_id())
    jobs = [(await queue(wire, ear, org=org)).data.job_id for _ in range(5)]
    page = (await door.get("/internal/jobs?limit=2&offset=1", org)).json()
    assert (page["total"], [j["id"] for j in page["items"]]) == (5, [jobs[3], jobs[2]])
    everything = (await door.get("/internal/jobs?limit=1000&task_type=backup&status=queued", org)).json()
    assert [j["id"] for j in everything["items"]] == jobs[::-1]
    nothing = (await door.get("/internal/jobs?status=failed", org)).json()
    assert nothing == {"total": 0, "items": []}


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "offset=-1", "status=odd", "task_type=odd"])
async def test_an_odd_question_is_refused(door: InternalApi, query: str) -> None:
    answer = await door.get(f"/internal/jobs?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")


@pytest.mark.parametrize("odd", ["nobody", "%00", "a%00b", "%ff", "%F0%9F%92%A9", "'", "%24ne", "x" * 5000])
async def test_an_odd_id_is_not_found(door: InternalApi, odd: str) -> None:
    for path, code in (("jobs/{}", "job_not_found"), ("jobs/{}/log", "job_not_found"), ("runs/{}", "run_not_found")):
        answer = await door.get("/internal/" + path.format(odd))
        assert (answer.status_code, answer.json()["code"]) == (404, code)


async def test_nobody_else_sees_a_job_and_nobody_without_a_token(door: InternalApi, wire: Wire, ear: Ear) -> None:
    sent = await queue(wire, ear)
    other = OrganizationId("other")
    for path in (f"jobs/{sent.data.job_id}", f"jobs/{sent.data.job_id}/log", f"runs/{sent.data.run_id}"):
        assert (await door.get(f"/internal/{path}", other)).status_code == 404
        assert (await door.http.get(f"/internal/{path}")).status_code == 401
    assert (await door.get("/internal/jobs", other)).json()["items"] == []


async def test_the_last_jobs_of_connectors_are_told_in_one_answer(door: InternalApi, wire: Wire, ear: Ear) -> None:
    task = backup()
    ids = [(await queue(wire, ear, task=task)).data.job_id for _ in range(2)]
    other = (await queue(wire, ear, task=backup(target=task.target))).data.job_id
    await wire.publish(told(TaskCancelled, ids[1]))
    await until(door, ids[1], status="canceled")
    assert task.target is not None

    async def latest(*app_ids: str, task_type: str = "backup") -> dict[str, str]:
        answer = await door.post("/internal/latest-jobs", {"task_type": task_type, "app_ids": app_ids})
        assert answer.status_code == 200, answer.text
        return {each["app_id"]: each["job"]["id"] for each in answer.json()["items"]}

    source, store = task.origin.id, task.target.id
    assert await latest(source, store, "nobody") == {source: ids[1], store: other}
    assert await latest(source, store, task_type="check") == {}
    for wrong in ({"task_type": "tea", "app_ids": [source]}, {"task_type": "backup", "app_ids": ["x"] * 501}):
        assert (await door.post("/internal/latest-jobs", wrong)).status_code == 400
    strange = await door.post(
        "/internal/latest-jobs", {"task_type": "backup", "app_ids": [source]}, OrganizationId("strange")
    )
    assert strange.json()["items"] == []
