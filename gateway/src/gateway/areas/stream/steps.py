"""Waits for what a generator gives without losing sight of anything else."""

import asyncio
from collections.abc import AsyncGenerator
from typing import TypeVar

from chassis.runtime.supervision import begin
from contracts.errors import CairnError

T = TypeVar("T")
FORESEEN = (StopAsyncIteration, CairnError)
CLOSE_SECONDS = 1.0


async def in_steps(source: AsyncGenerator[T, None], *, seconds: float) -> AsyncGenerator[T | None, None]:
    """All that a generator gives, and None as often as nothing came for so long; it is closed with this one.

    It goes on only while the next is asked for, and what it waits for is not begun anew after a None.
    """
    coming: asyncio.Task[T] | None = None
    try:
        while True:
            coming = coming or begin("next event of the past", _next(source), foreseen=FORESEEN)
            await asyncio.wait({coming}, timeout=seconds)
            if not coming.done():
                yield None
                continue
            done, coming = coming, None
            try:
                found = done.result()
            except StopAsyncIteration:
                return
            yield found
    finally:
        await _close(source, coming)


async def _next(source: AsyncGenerator[T, None]) -> T:
    return await anext(source)


async def _close(source: AsyncGenerator[T, None], coming: "asyncio.Task[T] | None") -> None:
    if coming is not None:
        coming.cancel()
        # No longer: who closes this may be about to say goodbye.
        await asyncio.wait({coming}, timeout=CLOSE_SECONDS)
        if not coming.done():
            return
    await source.aclose()
