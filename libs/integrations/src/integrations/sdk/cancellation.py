"""Waiting that ends when a run is cancelled."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from integrations.sdk.errors import Cancelled

T = TypeVar("T")


async def unless_cancelled(work: Coroutine[Any, Any, T], cancel: asyncio.Event) -> T:
    """What comes of work that does not look at `cancel` itself; once that is set, ends it and raises `Cancelled`.

    Work in a thread goes on until what it waits for ends it: the mount that is unmounted.
    """
    doing, stopping = asyncio.ensure_future(work), asyncio.ensure_future(cancel.wait())
    try:
        await asyncio.wait((doing, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise Cancelled
        return await doing
    # Both are cancelled: the one that is done does not mind.
    finally:
        stopping.cancel()
        doing.cancel()
        await asyncio.wait((doing, stopping))
