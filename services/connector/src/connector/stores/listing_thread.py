"""A thread that walks a tree ahead of what is sent of it, and asks the restore index on the event loop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import asynccontextmanager
from threading import Event, Lock, Semaphore
from typing import Any, TypeVar

from restic_reader import Totals

T = TypeVar("T")


class _Abandoned(Exception):
    """The listing was canceled, so the thread that walks the tree should stop."""


class IndexQuestions:
    """Questions of a thread to the restore index, asked on the event loop; once ended, they raise."""

    def __init__(
        self,
        *,
        known: Callable[[list[str]], Coroutine[object, object, Mapping[str, Totals]]],
        arrived: Callable[[str, int], Coroutine[object, object, int]],
    ) -> None:
        self._known = known
        self._arrived = arrived
        self._loop = asyncio.get_running_loop()
        self._lock = Lock()
        self._asked: Future[Any] | None = None
        self._ended = False

    def known(self, tree_ids: list[str]) -> Mapping[str, Totals]:
        """Which of these directories need not be sent."""
        return self._ask(self._known(tree_ids))

    def arrived(self, tree_id: str, pages: int) -> int:
        """How many of the pages of a directory need not be sent."""
        return self._ask(self._arrived(tree_id, pages))

    def _ask(self, question: Coroutine[object, object, T]) -> T:
        with self._lock:
            if self._ended:
                question.close()
                raise _Abandoned
            asked = asyncio.run_coroutine_threadsafe(question, self._loop)
            self._asked = asked
        try:
            return asked.result()
        except CancelledError:
            raise _Abandoned from None

    def end(self) -> None:
        """Make the question that is asked, and all later ones, raise in the thread."""
        with self._lock:
            self._ended = True
            if self._asked is not None:
                self._asked.cancel()


@asynccontextmanager
async def produced_ahead(
    make: Callable[[], Iterator[T]], questions: IndexQuestions, *, most: int
) -> AsyncIterator[AsyncIterator[T]]:
    """Run an iterator in a thread, at most `most` items ahead; leaving the context stops it."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[T | None] = asyncio.Queue()
    room, abandoned = Semaphore(most), Event()

    def run() -> None:
        try:
            for item in make():
                room.acquire()
                if abandoned.is_set():
                    return
                loop.call_soon_threadsafe(queue.put_nowait, item)
        finally:
            loop.call_soon_threadsafe(queue.put_nowait, None)

    async def items() -> AsyncIterator[T]:
        while (item := await queue.get()) is not None:
            room.release()
            yield item
        await thread

    thread = asyncio.ensure_future(asyncio.to_thread(run))
    try:
        yield items()
    finally:
        # The thread may wait for room, or for an answer of the index: both end here, so that leaving never hangs.
        abandoned.set()
        room.release()
        questions.end()
        await asyncio.wait({thread})
        if not thread.cancelled():
            thread.exception()
