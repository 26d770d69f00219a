"""Kafka door of the connector: queues work and returns at once; the worker answers when it is done.

Only the test of a draft is done here: a queue is kept, and nothing of a draft may be.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from chassis.messaging.dispatcher import Dispatcher
from contracts.envelope import Envelope
from contracts.messages.assignment import AppAssigned, AppReconfigured, AppRemoved
from contracts.messages.connector.base import ConnectorCommand
from contracts.messages.connector.connection_tests import TestDraft
from contracts.messages.resealing import AppResealed
from contracts.messages.scheduler import TaskCancelRequested, TaskRequested

from connector.context.apps import save_app, save_app_removal
from connector.jobs.definition import CommandDefinition
from connector.queue.intake import NoticeCancel, WakeUps, request_cancellation, request_command, request_task
from connector.store.ports import Store
from connector.stores.open_stores import OpenStores
from connector.tasks.registry import commands


def register(
    dispatcher: Dispatcher,
    store: Store,
    *,
    wake_ups: WakeUps,
    stores: OpenStores,
    notice_cancel: NoticeCancel,
    notice_removal: Callable[[], None],
    test_draft: Callable[[Envelope[TestDraft]], Awaitable[None]],
) -> Dispatcher:
    """Register the handlers of the connector with a dispatcher."""

    async def assigned(event: Envelope[AppAssigned]) -> None:
        # A repository that is open was opened with the fields of the former revision.
        if await save_app(store, event):
            stores.drop(event.data.app_id)

    async def resealed(event: Envelope[AppResealed]) -> None:
        # What is open stays open: it was opened with the same values.
        await save_app(store, event)

    async def removed(event: Envelope[AppRemoved]) -> None:
        await save_app_removal(store, event)
        stores.drop(event.data.app_id)
        notice_removal()

    async def requested(event: Envelope[TaskRequested]) -> None:
        await request_task(store, wake_ups, event)

    async def cancelled(event: Envelope[TaskCancelRequested]) -> None:
        await request_cancellation(store, wake_ups, event, notice=notice_cancel)

    async def asked(command: CommandDefinition, message: Envelope[ConnectorCommand]) -> None:
        slots = command.slots_for(message.data)
        await request_command(store, wake_ups, message, kind=command.kind, slots=slots)

    dispatcher.on(AppAssigned, assigned)
    dispatcher.on(AppReconfigured, assigned)
    dispatcher.on(AppResealed, resealed)
    dispatcher.on(AppRemoved, removed)
    for command in commands().values():
        if command.message is not None:
            dispatcher.on(command.message, partial(asked, command))
    dispatcher.on(TestDraft, test_draft)
    dispatcher.on(TaskRequested, requested)
    dispatcher.on(TaskCancelRequested, cancelled)
    return dispatcher
