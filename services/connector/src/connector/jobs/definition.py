"""What a module of `tasks/` states about itself: a task type that jobs can have, or a command to a worker."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from chassis.errors import Unavailable
from contracts.errors import CairnError, TemporaryError
from contracts.messages.assignment import App, AppRef
from contracts.messages.connector.base import ConnectorCommand
from contracts.messages.scheduler import TaskRequested
from contracts.task_types.base import TaskType
from contracts.tasks import TaskOptions, TaskResult
from contracts.values import JobId, OrganizationId
from integrations.sdk.cancellation import unless_cancelled

from connector.context.apps import await_app, check_unlocked
from connector.context.worker_context import WorkerContext
from connector.domain.attempts import Attempt
from connector.domain.work import Kind, SlotGroup, Work
from connector.jobs.job_reporting import Reporter
from connector.queue.lease import Lease

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One attempt at a job, as the code of its task type gets it."""

    context: WorkerContext
    lease: Lease
    request: TaskRequested
    reporter: Reporter
    cancel: asyncio.Event
    """Set when the job should stop: raise `Cancelled` soon after, with nothing left half done."""

    @property
    def id(self) -> JobId:
        """The job's id, equal for all attempts."""
        return self.request.job_id

    @property
    def org(self) -> OrganizationId:
        """Whose job it is."""
        return self.request.organization_id

    @property
    def options(self) -> TaskOptions:
        """Options of the run."""
        return self.request.task.options

    async def app(self, reference: AppRef | None, *, though_locked: bool = False) -> App:
        """The source, store or destination that a task names, in the revision that is meant or a later one.

        Raises `app_not_found` when it was removed, `app_unknown` when its event did not arrive in time,
        `resource_locked` when an operator has locked its resource since the task was asked for.
        """
        if reference is None:
            # A request that the scheduler's own check let through although a party is missing: a fault of ours.
            raise ValueError("the scheduler lets no task through that lacks a party")
        patience = self.context.settings.app_patience_seconds
        app = await await_app(self.context.store, self.org, reference, patience_seconds=patience)
        if not though_locked:
            check_unlocked(app)
        return app

    def is_given_up_after(self, error: CairnError) -> bool:
        """Whether a canceled job ends with an error that would else be followed by another attempt."""
        # Whether something was saved before one of Cairn's own servers went away only a later look can tell.
        return self.cancel.is_set() and isinstance(error, TemporaryError) and not isinstance(error, Unavailable)

    async def unless_cancelled(self, work: Coroutine[Any, Any, T]) -> T:
        """What comes of work that does not look at `cancel` itself; it is given up for that. Raises `Cancelled`."""
        return await unless_cancelled(work, self.cancel)


@dataclass(frozen=True)
class JobOutcome:
    """What a job came to; with a `problem` it failed, though it left a result."""

    result: TaskResult
    problem: CairnError | None = None


async def _nothing_to_clean_up(_context: WorkerContext, _work: Work) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class TaskDefinition:
    """A task type; a module of this package has one by the name `TASK`.

    `run` carries a job out, once for each attempt: it finds what earlier attempts left, by what their leases keep. It
    raises `Cancelled`, `LeaseLost`, a `TemporaryError` when another attempt may succeed, or why the job failed.
    """

    type: TaskType
    run: Callable[[Job], Awaitable[JobOutcome]]
    left_by: Callable[[Sequence[Attempt]], TaskResult | None] = lambda _: None
    """What attempts left of a job that failed after all."""
    clean_up: Callable[[WorkerContext, Work], Awaitable[None]] = _nothing_to_clean_up
    """Removes what this worker may have left of a job that another one has by now. Never raises."""


@dataclass(frozen=True, kw_only=True)
class CommandDefinition:
    """A command to a worker; a module of this package has one by the name `COMMAND`."""

    kind: Kind
    run: Callable[[WorkerContext, Lease, Any], Awaitable[None]]
    """Carries out the message (third argument) and settles the lease. Raises like `TaskDefinition.run`."""
    message: type[ConnectorCommand] | None = None
    """The command that asks for it; None where something else has it queued."""
    slots_for: Callable[[Any], SlotGroup] = lambda _: SlotGroup.COMMANDS
    """Which slots a message (the argument) waits for."""
    waits_for_servers: bool = False
    """Whether it is tried again where a server does not answer, because nobody waits for its outcome."""
