"""Finds the task types and commands of this worker: each module beside this one may have a `TASK` or a `COMMAND`."""

import asyncio
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TypeVar

from contracts.messages.outcomes import Problem
from contracts.messages.scheduler import TaskRequested
from contracts.task_types.base import TaskType

from connector import tasks
from connector.context.worker_context import WorkerContext
from connector.domain.attempts import TRIES_MAX, retry_pause_seconds
from connector.domain.work import TASK, Kind
from connector.jobs.definition import CommandDefinition, TaskDefinition
from connector.jobs.job_runner import fail_job, run_job
from connector.queue.activity import Activity
from connector.queue.lease import Lease, give_up

T = TypeVar("T")


@cache
def task_types() -> Mapping[TaskType, TaskDefinition]:
    """The task types that this worker can run."""
    return {each.type: each for each in _declared("TASK", TaskDefinition)}


@cache
def commands() -> Mapping[Kind, CommandDefinition]:
    """The commands that this worker can carry out."""
    return {each.kind: each for each in _declared("COMMAND", CommandDefinition)}


def _declared(name: str, kind: type[T]) -> list[T]:
    # By looking, not by a list: adding a task type is adding its file.
    modules = [import_module(f"{tasks.__name__}.{each.name}") for each in pkgutil.iter_modules(tasks.__path__)]
    return [stated for module in modules if isinstance(stated := vars(module).get(name), kind)]


def activities(context: WorkerContext) -> Mapping[Kind, Activity]:
    """How all kinds of work are carried out."""
    return {TASK: _Jobs(context), **{kind: _Command(context, each) for kind, each in commands().items()}}


@dataclass(frozen=True)
class _Jobs:
    """See `Activity`: jobs of any type."""

    context: WorkerContext

    async def run(self, lease: Lease, cancel: asyncio.Event) -> None:
        request = _request(lease)
        await run_job(self.context, lease, request, task=task_types().get(request.task.type), cancel=cancel)

    async def fail(self, lease: Lease, problem: Problem) -> None:
        request = _request(lease)
        await fail_job(self.context, lease, request, problem, task=task_types().get(request.task.type))

    async def clean_up(self, lease: Lease) -> None:
        if task := task_types().get(_request(lease).task.type):
            await task.clean_up(self.context, lease.work)


@dataclass(frozen=True)
class _Command:
    """See `Activity`: one kind of command."""

    context: WorkerContext
    definition: CommandDefinition

    async def run(self, lease: Lease, cancel: asyncio.Event) -> None:  # noqa: ARG002 - only jobs are canceled
        await self.definition.run(self.context, lease, lease.work.cause.data)

    async def fail(self, lease: Lease, problem: Problem) -> None:
        # Cairn's own servers are the runner's concern; here a store did not answer, and nobody waits for the outcome.
        is_worth_waiting = self.definition.waits_for_servers and problem.kind == "unavailable"
        if is_worth_waiting and lease.number < TRIES_MAX:
            await give_up(lease, pause_seconds=retry_pause_seconds(lease.number))
        else:
            await lease.settle(result=problem)

    async def clean_up(self, lease: Lease) -> None:
        pass


def _request(lease: Lease) -> TaskRequested:
    message = lease.work.cause.data
    if not isinstance(message, TaskRequested):
        raise TypeError(f"work of a job was caused by {message.TYPE}")
    return message
