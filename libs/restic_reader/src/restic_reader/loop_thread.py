"""An event loop in a thread of its own, for adapters with asynchronous clients and callers in threads."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from restic_reader.errors import StoreUnavailable

T = TypeVar("T")

_LAST_ROUNDS = 4
"""Of the loop: what is aborted closes its socket a few rounds later."""


class LoopThread:
    """Runs coroutines for any thread but its own. The thread starts with the first one and ends with `stop`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = False

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What it returns or raises. Raises `StoreUnavailable` when the thread was stopped, also meanwhile."""
        with self._lock:
            if self._stopped:
                # Python would warn of a coroutine that was never awaited.
                coroutine.close()
                raise StoreUnavailable("it was closed")
            self._loop = self._loop or self._started()
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise StoreUnavailable("it was closed") from None

    def stop(self, last: Callable[[], None] = lambda: None) -> None:
        """Cancel what runs, in the background too, do a last thing, and end the thread; returns at once.

        May be repeated; the last thing is left out where there is no thread.
        """
        with self._lock:
            self._stopped = True
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(lambda: asyncio.ensure_future(_end(loop, last)))

    def _started(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.new_event_loop()
        # A daemon: a process that ends must not wait for the answer of a server.
        threading.Thread(target=_serve, args=[loop], name=self._name, daemon=True).start()
        return loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


async def _end(loop: asyncio.AbstractEventLoop, last: Callable[[], None]) -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    last()
    for _ in range(_LAST_ROUNDS):
        await asyncio.sleep(0)
    loop.stop()
