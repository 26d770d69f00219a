"""A service run inside the test's own process: chassis parts with the test's handlers."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from chassis.messaging.retries import RetryPolicy
from chassis.runtime.service_runtime import ServiceRuntime, handling, open_service_runtime
from chassis.runtime.settings import CommonSettings
from contracts.messages.base import Message
from contracts.topics import OUTCOMES

Handlers = Mapping[type[Message], Callable[[Any], Awaitable[None]]]
QUICK = RetryPolicy(first_pause_seconds=0.01, longest_pause_seconds=0.2, patience_seconds=0.3)


@asynccontextmanager
async def running_service(
    settings: CommonSettings, handlers: Handlers, *, service: str = "probe", policy: RetryPolicy = QUICK
) -> AsyncIterator[ServiceRuntime]:
    """Handle messages of the given classes until the end of the block, with little patience."""
    async with open_service_runtime(settings, service) as runtime:
        dispatcher = runtime.dispatcher()
        for message, handler in handlers.items():
            dispatcher.on(message, handler)
        topics = sorted({message.TOPIC for message in handlers})
        async with handling(runtime, dispatcher, topics=topics, announces=[OUTCOMES], policy=policy):
            yield runtime
