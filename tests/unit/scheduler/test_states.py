"""The table of `STATES.md`, cell by cell against the code."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from chassis.ids import new_id
from contracts.errors import CairnError
from contracts.messages.connector.task_events import TaskCancelled, TaskFailed, TaskSucceeded
from contracts.messages.outcomes import Problem
from contracts.values import JobId
from scheduler.jobs import usecases
from scheduler.jobs.domain.job import Job

from tests.unit.scheduler.builder import (
    ORG,
    cancel,
    logged,
    progressed,
    retry,
    run_task,
    started,
    told,
    wrapped,
)
from tests.unit.scheduler.test_usecases import World

PAGE = Path(__file__).parents[3] / "services/scheduler/STATES.md"
JOB = JobId(new_id())
PROBLEM = Problem(code="root_missing", kind="failed", detail="There is no directory /data.")
Deed = Callable[[World], Awaitable[None]]


def table() -> list[tuple[str, str, str]]:
    """Event, state before, and what follows, as the page has them."""
    lines = PAGE.read_text("utf-8").splitlines()
    rows = [[cell.strip().replace("`", "") for cell in line.split("|")[1:-1]] for line in lines if line[:1] == "|"]
    wide = [row for row in rows if len(row) > 2 and not row[0].startswith("-")]
    states = wide[0][1:]
    return [(row[0], state, cell) for row in wide[1:] for state, cell in zip(states, row[1:], strict=True)]


async def run(world: World) -> None:
    await usecases.run_task(world.store, world.clock, wrapped(run_task(job_id=JOB)))


async def ask_to_stop(world: World) -> None:
    await usecases.cancel_job(world.store, world.clock, wrapped(cancel(JOB)))


async def try_again(world: World) -> None:
    former = await world.jobs.get(ORG, JOB)
    await usecases.retry_job(world.store, world.clock, wrapped(retry(JOB, former)))


def event(name: str, attempt: int) -> Deed:
    """What a worker says, carried to the scheduler."""
    said = {
        "TaskStarted": (usecases.note_started, started(JOB, attempt=attempt, worker=f"w{attempt}")),
        "TaskProgressed": (usecases.note_progress, progressed(JOB, 0.5, attempt=attempt)),
        "TaskLogged": (usecases.note_lines, logged(JOB, 1, "line", attempt=attempt)),
        "TaskSucceeded": (usecases.note_succeeded, told(TaskSucceeded, JOB, attempt=attempt)),
        "TaskFailed": (usecases.note_failed, told(TaskFailed, JOB, attempt=attempt, problem=PROBLEM)),
        "TaskCancelled": (usecases.note_cancelled, told(TaskCancelled, JOB, attempt=attempt)),
    }
    handler, news = said[name]
    return lambda world: handler(world.store, wrapped(news))  # type: ignore[operator]


COMMANDS: dict[str, Deed] = {"RunTask": run, "CancelJob": ask_to_stop, "RetryJob": try_again}
START = event("TaskStarted", 2)
WAYS: dict[str, list[Deed]] = {
    "no job": [],
    "queued": [run],
    "queued, asked to stop": [run, ask_to_stop],
    "running": [run, START],
    "running, asked to stop": [run, START, ask_to_stop],
    "succeeded": [run, START, event("TaskSucceeded", 2)],
    "failed": [run, START, event("TaskFailed", 2)],
    "canceled": [run, START, event("TaskCancelled", 2)],
}
"""How a job gets into each state."""


def deed(name: str) -> Deed:
    found = re.fullmatch(r"(\w+), attempt (\d)", name)
    return event(found[1], int(found[2])) if found else COMMANDS[name]


def state(job: Job | None) -> str:
    if job is None:
        return "no job"
    asked = job.cancel_requested_at is not None and job.stopped_at is None
    return f"{job.status}, asked to stop" if asked else job.status


@pytest.mark.parametrize(("name", "before", "follows"), table())
async def test_a_state_and_an_event_lead_to_what_the_page_says(name: str, before: str, follows: str) -> None:
    world = World()
    for step in WAYS[before]:
        await step(world)
    assert state(await world.jobs.get(ORG, JOB)) == before
    if re.fullmatch(r"[a-z]+_[a-z_]+", follows):
        with pytest.raises(CairnError) as refused:
            await deed(name)(world)
        assert refused.value.code == follows
        follows = "-"
    else:
        await deed(name)(world)
    assert state(await world.jobs.get(ORG, JOB)) == (before if follows == "-" else follows)


def test_the_page_has_each_state_and_each_event() -> None:
    cells = table()
    assert {before for _, before, _ in cells} == set(WAYS)
    events = {"TaskStarted", "TaskProgressed", "TaskLogged", "TaskSucceeded", "TaskFailed", "TaskCancelled"}
    assert {name.partition(",")[0] for name, _, _ in cells} == set(COMMANDS) | events
