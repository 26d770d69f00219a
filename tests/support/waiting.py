"""Waiting for something to become true: the one place of the tests that may sleep."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar, overload

T = TypeVar("T")
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.005, 0.2


def eventually(condition: Callable[[], T], deadline_seconds: float = 10) -> T:
    """The first truthy answer of `condition`, asked again and again; for tests that run no event loop.

    An AssertionError inside the condition means "not yet". At the deadline that error is raised, or one of our own.
    """
    failure: AssertionError | None = None
    for pause in _pauses(deadline_seconds):
        try:
            if answer := condition():
                return answer
            failure = None
        except AssertionError as error:
            failure = error
        time.sleep(pause)
    raise failure or AssertionError(f"not within {deadline_seconds} s: {_name(condition)}")


@overload
async def eventually_async(condition: Callable[[], Awaitable[T]], deadline_seconds: float = 10) -> T: ...
@overload
async def eventually_async(condition: Callable[[], T], deadline_seconds: float = 10) -> T: ...
async def eventually_async(condition: Callable[[], Any], deadline_seconds: float = 10) -> Any:
    """`eventually` for coroutines: the condition may be a plain function or a coroutine function."""
    failure: AssertionError | None = None
    for pause in _pauses(deadline_seconds):
        try:
            answer = condition()
            if inspect.isawaitable(answer):
                answer = await answer
            if answer:
                return answer
            failure = None
        except AssertionError as error:
            failure = error
        await asyncio.sleep(pause)
    raise failure or AssertionError(f"not within {deadline_seconds} s: {_name(condition)}")


def _pauses(deadline_seconds: float) -> Iterator[float]:
    end, pause = time.monotonic() + deadline_seconds, FIRST_PAUSE_SECONDS
    while time.monotonic() < end:
        yield pause
        pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)
    yield 0


def _name(condition: Callable[..., object]) -> str:
    return getattr(condition, "__qualname__", repr(condition))
