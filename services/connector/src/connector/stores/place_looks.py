"""Questions to the disk that may never be answered, as about a mount whose server is gone."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import Any, TypeVar, cast

T = TypeVar("T")
_AT_ONCE = 32


class PlaceLooks:
    """Each question has a thread of its own: one that hangs takes none from other work, nor keeps the process alive."""

    def __init__(self, *, seconds: float = 5.0) -> None:
        """`seconds`: how long an answer is waited for."""
        self._seconds = seconds
        self._asked: dict[str, tuple[Future[Any], float]] = {}
        """The questions without an answer, by place, and until when it is waited for."""
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def ask(self, place: str, question: Callable[[], T]) -> T:
        """What the question, always the same one of a place, returns or raises. Raises `TimeoutError`.

        While an earlier one about the place has no answer, no other is asked: a place that is known to hang costs no
        more time, and no more threads.
        """
        async with self._free:
            asked, until = self._asked.get(place) or self._begin(place, question)
            return cast(T, await asyncio.wait_for(asyncio.wrap_future(asked), max(0.0, until - time.monotonic())))

    def _begin(self, place: str, question: Callable[[], T]) -> tuple[Future[T], float]:
        asked = Future[T]()
        begun = self._asked[place] = asked, time.monotonic() + self._seconds
        # From here on nobody who stops waiting can cancel it for others.
        asked.set_running_or_notify_cancel()
        asked.add_done_callback(lambda _: self._asked.pop(place, None))
        Thread(target=_answer, args=(asked, question), name=f"look at {place}", daemon=True).start()
        return begun


def _answer(asked: Future[T], question: Callable[[], T]) -> None:
    try:
        answer = question()
    except BaseException as error:  # noqa: BLE001 - raised where it was asked.
        asked.set_exception(error)
    else:
        asked.set_result(answer)
