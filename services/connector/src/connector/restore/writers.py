"""Threads that write to a destination at the same time."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

_TOGETHER, _BYTES_TOGETHER = 32, 2 << 20

Action = Callable[[], None]


class Writers:
    """Does what it is given, as much at once as there are threads; without any, at once. Used by one thread.

    Small actions are handed over together, since to hand one over takes as long as a small file.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="restore") if count > 1 else None
        self._running: deque[Future[None]] = deque()
        self._waiting: list[Action] = []
        self._waiting_bytes = 0

    def do(self, action: Action, *, size_bytes: int = _BYTES_TOGETHER) -> None:
        """Do it, soon, in the order in which it was given or beside others; waits while all threads are busy.

        Raises what an earlier action raised. `size_bytes`: how much it has in memory, or handles.
        """
        if self._pool is None:
            action()
            return
        self._waiting.append(action)
        self._waiting_bytes += size_bytes
        if len(self._waiting) >= _TOGETHER or self._waiting_bytes >= _BYTES_TOGETHER:
            self._hand_over(self._pool)

    def begin(self) -> None:
        """Hand over what waits for company."""
        if self._pool is not None and self._waiting:
            self._hand_over(self._pool)

    def settle(self) -> None:
        """Wait until all is done. Raises what an action raised."""
        self.begin()
        while self._running:
            self._running.popleft().result()

    def close(self) -> None:
        """Wait for what was handed over, and drop the rest."""
        if self._pool is not None:
            # Waited for, since the destination that the threads write to is closed next.
            self._pool.shutdown(wait=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.close()

    def _hand_over(self, pool: ThreadPoolExecutor) -> None:
        actions, self._waiting, self._waiting_bytes = self._waiting, [], 0
        while len(self._running) >= self.count:
            self._running.popleft().result()
        self._running.append(pool.submit(_do_all, actions))


def _do_all(actions: list[Action]) -> None:
    for action in actions:
        action()
