"""Restore points and the files in them."""

from typing import Annotated

from chassis.queries import bytes_parameter
from fastapi import APIRouter, Query, Request, Response

from gateway.api.documents import headers, problems
from gateway.api.gate import Opened, Right, Who
from gateway.api.passing import ASKED, PassThrough
from gateway.api.views.base import PageView, whole
from gateway.api.views.snapshots import SnapshotView, snapshot_view

router = APIRouter(prefix="/api/v1", tags=["snapshots"])
PATH = "Percent-encoded bytes from the root of the restore point; bytes that are no UTF-8 may be shown as `\\xff`"
_BYTES = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
_VALIDATORS = ("ETag", "Last-Modified", "Accept-Ranges")
_WHOLE = {"description": "The file.", "headers": headers(*_VALIDATORS, "Content-Disposition")}
_FILE: dict[int | str, dict[str, object]] = {
    200: {**_WHOLE, **_BYTES},
    206: {
        "description": "The part that `Range` asks for.",
        "headers": headers(*_VALIDATORS, "Content-Disposition", "Content-Range"),
        **_BYTES,
    },
    304: {"description": "The client has the file: nothing changed.", "headers": headers(*_VALIDATORS)},
    **problems(400, 404, 409, 412, 416, 422),
}
_HEADERS_ALONE = _FILE | {status: {k: v for k, v in _FILE[status].items() if k != "content"} for status in (200, 206)}
_CONDITIONS = {
    "Range": "One range of bytes, e.g. `bytes=0-1023`, `bytes=1024-`, `bytes=-1024`",
    "If-Range": "`ETag` or `Last-Modified` of the file that the range is of; of another file the whole is sent",
    "If-None-Match": "`ETag` of what the client has: 304 when the file is that",
    "If-Modified-Since": "`Last-Modified` of what the client has: 304 when the file is no newer",
    "If-Match": "`ETag` the file must have: else 412",
    "If-Unmodified-Since": "Time after which the file must not have been changed: else 412",
}
_ASKING = {
    "parameters": [
        {"name": name, "in": "header", "description": words, "schema": {"type": "string"}}
        for name, words in _CONDITIONS.items()
    ]
}


@router.get("/snapshots/store/{store_id}", summary="List restore points of a store", responses=problems(404))
async def list_snapshots(store_id: str, gate: Opened, who: Who) -> PageView[SnapshotView]:
    """All of them, newest first. `creation_time` sorts as text."""
    if not who.may(Right.READ):
        return whole([])
    return whole([snapshot_view(p) for p in await gate.snapshots.of_store(who, store_id)])


@router.get(
    "/snapshots/{snapshot_id}/content",
    summary="Download a file",
    response_class=Response,
    responses=_FILE,
    openapi_extra=_ASKING,
)
async def read_content(
    snapshot_id: str,
    request: Request,
    gate: Opened,
    who: Who,
    path: Annotated[str, Query(description=PATH)],  # noqa: ARG001 - read as bytes
) -> PassThrough:
    """Byte for byte, with `Range`, `If-Range`, `ETag` and `If-None-Match`, as an attachment with the file's name."""
    return _content(snapshot_id, request, gate, who)


@router.head(
    "/snapshots/{snapshot_id}/content",
    summary="Look at a file",
    response_class=Response,
    responses=_HEADERS_ALONE,
    openapi_extra=_ASKING,
)
async def read_content_headers(
    snapshot_id: str,
    request: Request,
    gate: Opened,
    who: Who,
    path: Annotated[str, Query(description=PATH)],  # noqa: ARG001 - read as bytes
) -> PassThrough:
    """The headers that a download would have, without its bytes."""
    return _content(snapshot_id, request, gate, who)


def _content(snapshot_id: str, request: Request, gate: Opened, who: Who) -> PassThrough:
    who.require(Right.READ)
    asked = {name: request.headers[name] for name in ASKED if name in request.headers}
    path = path_of(request)
    return PassThrough(lambda: gate.snapshots.content(who, snapshot_id, path, method=request.method, headers=asked))


def path_of(request: Request) -> bytes:
    """The `path` of the query as the bytes it stands for, which need not be UTF-8."""
    found = bytes_parameter(request.scope["query_string"], "path")
    return b"/" if found is None else found
