"""Which use case handles which message."""

from functools import partial

from chassis.messaging.dispatcher import Dispatcher
from contracts.messages.connector.task_events import (
    TaskCancelled,
    TaskFailed,
    TaskLogged,
    TaskMeasured,
    TaskProgressed,
    TaskStarted,
    TaskSucceeded,
)
from contracts.messages.scheduler import CancelJob, RetryJob, RunTask
from contracts.topics import CONNECTOR_EVENTS, OUTCOMES, SCHEDULER_COMMANDS, SCHEDULER_EVENTS, tasks

from scheduler.jobs import usecases
from scheduler.jobs.store import SchedulerStore
from scheduler.jobs.usecases import Clock

LISTENS_TO = (SCHEDULER_COMMANDS, CONNECTOR_EVENTS)
ANNOUNCES = (SCHEDULER_EVENTS, tasks(), OUTCOMES)


def register_handlers(dispatcher: Dispatcher, store: SchedulerStore, clock: Clock) -> Dispatcher:
    """Fill the dispatcher with the handlers of the scheduler; returns it."""
    dispatcher.on(RunTask, partial(usecases.run_task, store, clock))
    dispatcher.on(RetryJob, partial(usecases.retry_job, store, clock))
    dispatcher.on(CancelJob, partial(usecases.cancel_job, store, clock))
    dispatcher.on(TaskStarted, partial(usecases.note_started, store))
    dispatcher.on(TaskProgressed, partial(usecases.note_progress, store))
    dispatcher.on(TaskLogged, partial(usecases.note_lines, store))
    dispatcher.on(TaskMeasured, partial(usecases.note_measures, store))
    dispatcher.on(TaskSucceeded, partial(usecases.note_succeeded, store))
    dispatcher.on(TaskFailed, partial(usecases.note_failed, store))
    dispatcher.on(TaskCancelled, partial(usecases.note_cancelled, store))
    return dispatcher
