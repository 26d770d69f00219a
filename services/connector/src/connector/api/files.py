"""A file as an HTTP response."""

import mimetypes

from chassis.http.byte_parameters import bytes_parameter
from chassis.http.problem_responses import FILE_PROBLEMS, problem_response
from contracts.errors import Invalid
from contracts.paths import shown
from fastapi import Request
from starlette.responses import Response

from connector.api.ranges import Answer, answer, etag, last_modified
from connector.api.streaming import Streamed, attachment
from connector.downloads.content import Content, FoundFile, Span
from connector.stores.open_stores import OpenStores

_BINARY = "application/octet-stream"


def path_of(request: Request) -> bytes:
    """The parameter `path`, as bytes: names of files need not be UTF-8. Raises `path_missing`."""
    if found := bytes_parameter(request.scope["query_string"], "path"):
        return found
    raise Invalid("path_missing", "The parameter `path` is missing.", fields={"path": "missing"})


class FileResponder:
    """Decides how a file is answered to one request, then answers it."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._answer = Answer(200)

    def choose(self, found: FoundFile) -> Span | None:
        """The part of the file that has to be read."""
        self._answer = answer(self._request.headers, found, method=self._request.method)
        return self._answer.span if self._request.method == "GET" else None

    async def respond(self, content: Content, stores: OpenStores) -> Response:
        """The response. It closes the content, when that is not done here already."""
        status, span = self._answer
        headers = _headers(content.found, self._answer)
        if span is not None and self._request.method == "GET":
            return Streamed(content, stores, status=status, headers=headers)
        await content.close()
        if status not in FILE_PROBLEMS:
            return Response(None, status, headers)
        refusal = problem_response(FILE_PROBLEMS[status], instance=self._request.url.path, status=status)
        refusal.headers.update({k: v for k, v in headers.items() if k in ("Content-Range", "ETag", "Accept-Ranges")})
        return refusal


def _headers(found: FoundFile, given: Answer) -> dict[str, str]:
    headers = {"ETag": etag(found), "Accept-Ranges": "bytes", "Cache-Control": "private, no-cache"}
    if modified := last_modified(found):
        headers["Last-Modified"] = modified
    if given.status == 416:
        headers["Content-Range"] = f"bytes */{found.size}"
    if given.span is None:
        return headers
    if given.status == 206:
        first, length = given.span
        headers["Content-Range"] = f"bytes {first}-{first + length - 1}/{found.size}"
    return headers | {
        "Content-Length": str(given.span.length),
        "Content-Type": _media_type(found),
        "Content-Disposition": attachment(shown(found.name)),
        "X-Content-Type-Options": "nosniff",
    }


def _media_type(found: FoundFile) -> str:
    # `guess_type` parses a URL: with the slash a name such as `data:x` stays a path. An encoding (`.gz`) describes the
    # content as it is stored, which a `Content-Type` alone cannot say.
    guessed, encoding = mimetypes.guess_type(f"/{shown(found.name)}")
    return guessed if guessed and not encoding else _BINARY
