"""The scheduler killed at any moment: no command is lost, none is done twice."""

from contextlib import AsyncExitStack
from pathlib import Path

from contracts.messages.connector.task_events import TaskSucceeded
from contracts.messages.outcomes import CommandOutcome
from contracts.messages.scheduler import JobChanged, TaskRequested
from contracts.topics import CONNECTOR_EVENTS, OUTCOMES, SCHEDULER_COMMANDS, SCHEDULER_EVENTS, dead_letters, tasks

from tests.support.environment import Corner
from tests.support.kafka import Raw, Wire, open_wire, to_envelope
from tests.support.processes import running_module
from tests.unit.scheduler.builder import run_task, started, told

JOBS = 30
TOPICS = (SCHEDULER_COMMANDS, CONNECTOR_EVENTS, SCHEDULER_EVENTS, OUTCOMES, tasks())


async def test_jobs_survive_a_scheduler_that_is_killed_again_and_again(fresh_corner: Corner, tmp_path: Path) -> None:
    environment = fresh_corner.variables(session_timeout_seconds=6)
    commands = [run_task() for _ in range(JOBS)]
    wanted = {c.job_id for c in commands}

    def process(number: int):  # type: ignore[no-untyped-def]
        return running_module("scheduler", "serve", environment=environment, log=tmp_path / f"{number}.log")

    async with open_wire(fresh_corner.settings()) as wire, AsyncExitStack() as stack:
        await wire.ensure(*TOPICS)
        ear = await stack.enter_async_context(wire.listening(*TOPICS))
        work = await stack.enter_async_context(wire.listening(tasks()))
        for command in commands:
            await wire.publish(command)
        for number in range(3):
            with process(number) as running:
                reached = len(work.heard) + 3
                await _work(wire, await work.count(min(reached, JOBS), 30))
                running.kill()
        with process(9):
            await _work(wire, await work.until(lambda heard: _requested(heard) == wanted, 30))
            await ear.until(lambda heard: _succeeded(heard) == wanted, 30)
    for job_id in wanted:
        mine = [e for e in map(to_envelope, ear.heard) if getattr(e.data, "job_id", None) == job_id]
        assert len({e.id for e in mine if isinstance(e.data, TaskRequested)}) == 1
        assert {e.data.status for e in mine if isinstance(e.data, JobChanged)} >= {"queued", "running", "succeeded"}
    outcomes = [e.data for e in map(to_envelope, ear.heard) if isinstance(e.data, CommandOutcome)]
    assert len({o.command_id for o in outcomes}) == JOBS
    assert all(o.accepted for o in outcomes)
    assert await _dead_letters(fresh_corner) == []


async def _work(wire: Wire, heard: list[Raw]) -> None:
    """Do what workers do with the tasks heard so far; some of it again."""
    for job_id in sorted(_requested(heard)):
        await wire.publish(started(job_id))
        await wire.publish(told(TaskSucceeded, job_id, seconds=9))


async def _dead_letters(corner: Corner) -> list[Raw]:
    async with open_wire(corner.settings()) as wire:
        return [r for topic in (SCHEDULER_COMMANDS, CONNECTOR_EVENTS) for r in await wire.read(dead_letters(topic))]


def _requested(heard: list[Raw]) -> set[str]:
    return {e.data.job_id for e in map(to_envelope, heard) if isinstance(e.data, TaskRequested)}


def _succeeded(heard: list[Raw]) -> set[str]:
    changes = [e.data for e in map(to_envelope, heard) if isinstance(e.data, JobChanged)]
    return {change.job_id for change in changes if change.status == "succeeded"}
