"""Threads that write to a destination at the same time."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class Writers:
    """Does what it is given, as much at once as there are threads; without any, at once. Used by one thread."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="restore") if count > 1 else None
        self._running: deque[Future[None]] = deque()

    def do(self, action: Callable[[], None]) -> None:
        """Do it, soon; waits while all are busy. Raises what an earlier action raised."""
        if self._pool is None:
            action()
            return
        while len(self._running) >= self.count:
            self._running.popleft().result()
        self._running.append(self._pool.submit(action))

    def settle(self) -> None:
        """Wait until all is done. Raises what an action raised."""
        while self._running:
            self._running.popleft().result()

    def close(self) -> None:
        """Wait for what is being done, and drop the rest."""
        if self._pool is not None:
            # Waited for, since the destination that the threads write to is closed next.
            self._pool.shutdown(wait=True, cancel_futures=True)
