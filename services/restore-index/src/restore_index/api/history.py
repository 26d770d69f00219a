"""The history of files: their versions, and what differs between two restore points."""

from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from chassis.http.server import caller_reader
from chassis.http.tokens import Caller, Tokens
from contracts.queries.restore_index import FILE_ROWS, MOST_FILE_ROWS
from contracts.values import AppId, SnapshotId
from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from restore_index.api.answers import json_response, read_path
from restore_index.api.files import Limit
from restore_index.store import Store
from restore_index.usecases import file_versions
from restore_index.usecases.compare import Comparison, Comparisons

NDJSON = "application/x-ndjson"


def versions_router(store: Store, tokens: Tokens) -> APIRouter:
    """Routes of file_versions."""
    routes, read = APIRouter(), caller_reader(tokens)

    @routes.get("")
    async def list_versions(
        request: Request,
        source_id: AppId,
        caller: Annotated[Caller, Depends(read)],
        limit: Limit = FILE_ROWS,
        cursor: str | None = None,
    ) -> Response:
        found = await file_versions.list_versions(
            store,
            caller.organization_id,
            source_id,
            path=read_path(request.scope["query_string"]),
            limit=min(limit, MOST_FILE_ROWS),
            cursor=cursor,
        )
        return json_response(found._asdict())

    return routes


def differences_router(store: Store, tokens: Tokens) -> APIRouter:
    """Routes of what differs between restore points."""
    routes, read = APIRouter(), caller_reader(tokens)
    comparisons = Comparisons(store)

    @routes.get("/{snapshot_id}/diff/{other_id}")
    async def compare(
        request: Request,
        snapshot_id: SnapshotId,
        other_id: SnapshotId,
        caller: Annotated[Caller, Depends(read)],
        *,
        limit: Limit = FILE_ROWS,
        cursor: str | None = None,
        stream: bool = False,
    ) -> Response:
        org, pair = caller.organization_id, (snapshot_id, other_id)
        path = read_path(request.scope["query_string"])
        if stream:
            return _Lines(await comparisons.compare(org, pair, path=path))
        rows = await comparisons.list_changes(org, pair, path=path, limit=min(limit, MOST_FILE_ROWS), cursor=cursor)
        return json_response(rows._asdict())

    return routes


class _Lines(StreamingResponse):
    """Rows as lines of JSON. The last line is the summary; what ends without it has broken off."""

    def __init__(self, comparison: Comparison) -> None:
        self._parts = comparison.stream_rows()
        super().__init__(self._encoded(), media_type=NDJSON)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._parts.aclose()

    async def _encoded(self) -> AsyncIterator[bytes]:
        async for rows in self._parts:
            yield _encode_lines(rows)


_encode_lines = msgspec.json.Encoder().encode_lines
