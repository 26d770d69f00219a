"""Kafka door of the connector: takes work in and returns at once; the worker answers when it is done."""

from collections.abc import Callable

from chassis.dispatcher import Dispatcher
from contracts.assignment import AppAssigned, AppReconfigured, AppRemoved
from contracts.connector import InitializeStore, RefreshStore, TestConnection, UnlockStore
from contracts.envelope import Envelope
from contracts.scheduler import TaskCancelRequested, TaskRequested

from connector.domain import Kind
from connector.store import Store
from connector.usecases.apps import forget_app, learn_app
from connector.usecases.queueing import Bells, NoticeCancel, request_cancel, request_command, request_task
from connector.usecases.stores import OpenStores


def register(
    dispatcher: Dispatcher,
    store: Store,
    *,
    bells: Bells,
    stores: OpenStores,
    notice_cancel: NoticeCancel,
    notice_removal: Callable[[], None],
    pool: str,
) -> Dispatcher:
    """Enter the handlers of the connector into a table."""

    async def assigned(event: Envelope[AppAssigned]) -> None:
        if await learn_app(store, event):
            stores.drop(event.data.app_id)

    async def removed(event: Envelope[AppRemoved]) -> None:
        await forget_app(store, event)
        stores.drop(event.data.app_id)
        notice_removal()

    async def test(command: Envelope[TestConnection]) -> None:
        await request_command(store, bells, command, kind=Kind.TEST, pool=pool)

    async def initialize(command: Envelope[InitializeStore]) -> None:
        await request_command(store, bells, command, kind=Kind.INITIALIZE, pool=pool)

    async def refresh(command: Envelope[RefreshStore]) -> None:
        await request_command(store, bells, command, kind=Kind.REFRESH, pool=pool)

    async def unlock(command: Envelope[UnlockStore]) -> None:
        await request_command(store, bells, command, kind=Kind.UNLOCK, pool=pool)

    async def requested(event: Envelope[TaskRequested]) -> None:
        await request_task(store, bells, event)

    async def cancelled(event: Envelope[TaskCancelRequested]) -> None:
        await request_cancel(store, bells, event, notice=notice_cancel)

    dispatcher.on(AppAssigned, assigned)
    dispatcher.on(AppReconfigured, assigned)
    dispatcher.on(AppRemoved, removed)
    dispatcher.on(TestConnection, test)
    dispatcher.on(InitializeStore, initialize)
    dispatcher.on(RefreshStore, refresh)
    dispatcher.on(UnlockStore, unlock)
    dispatcher.on(TaskRequested, requested)
    dispatcher.on(TaskCancelRequested, cancelled)
    return dispatcher
