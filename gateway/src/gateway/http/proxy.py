"""Passes a stream of another process on to the client."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

from chassis.http.problem_responses import FILE_PROBLEMS, problem_response
from chassis.http.transport import Answer
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

CONDITIONS = ("range", "if-range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since")
_PASSED_ON = (
    "content-type",
    "content-length",
    "content-range",
    "content-disposition",
    "accept-ranges",
    "etag",
    "last-modified",
    "cache-control",
)
_PASSED_ON_OF_REFUSALS = ("content-range", "accept-ranges", "etag")
OpenStream = Callable[[], AbstractAsyncContextManager[Answer]]


class ProxyResponse(Response):
    """Status, headers and body as they come. When the client goes, the other stream is closed at once."""

    def __init__(self, open_stream: OpenStream) -> None:
        super().__init__()
        self._open = open_stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open the stream and pass it on; errors in opening it are raised before anything was sent."""
        async with self._open() as answer:
            if answer.status_code in FILE_PROBLEMS:
                await _refusal(answer, scope["path"])(scope, receive, send)
                return
            passed_on = {name: answer.headers[name] for name in _PASSED_ON if name in answer.headers}
            # The bytes come from a user's files: no browser may guess a type that makes it run them.
            headers = [
                (n.encode(), v.encode("latin-1")) for n, v in {**passed_on, "x-content-type-options": "nosniff"}.items()
            ]
            await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
            await _until_gone(_pump(answer, send), receive)


def _refusal(answer: Answer, path: str) -> Response:
    response = problem_response(FILE_PROBLEMS[answer.status_code], instance=path, status=answer.status_code)
    response.headers.update({n: answer.headers[n] for n in _PASSED_ON_OF_REFUSALS if n in answer.headers})
    return response


async def _pump(answer: Answer, send: Send) -> None:
    async for chunk in answer.aiter_raw():
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(pumping: Coroutine[Any, Any, None], receive: Receive) -> None:
    # The server drops what is written to a client that is gone; only `receive` tells that it is. Without that the
    # worker would go on reading for nobody.
    tasks = [asyncio.create_task(pumping), asyncio.create_task(_gone(receive))]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
