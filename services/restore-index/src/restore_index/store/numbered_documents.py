"""Documents that are numbered without gaps."""

from collections.abc import Awaitable, Callable


async def find_end(get: Callable[[int], Awaitable[object | None]], start: int) -> int:
    """The number after the last document, found without reading them all; `start` is not behind it."""
    step = 1
    while await get(start + step - 1):
        start, step = start + step, step * 2
    end = start + step - 1
    while start < end:
        middle = (start + end) // 2
        start, end = (middle + 1, end) if await get(middle) else (start, middle)
    return start
