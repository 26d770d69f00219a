"""The files in a restore point."""

from typing import Annotated

from chassis.http.server import caller_reader
from chassis.http.tokens import Caller, Tokens
from contracts.queries.restore_index import FILE_ROWS, MOST_FILE_ROWS, Direction, Sort
from contracts.values import SnapshotId
from fastapi import APIRouter, Depends, Query, Request, Response

from restore_index.api.answers import json_response, read_path
from restore_index.domain.sort_order import Order
from restore_index.store import Store
from restore_index.usecases import browse

Limit = Annotated[int, Query(ge=1, description=f"How many at most; {MOST_FILE_ROWS} even if more are asked for")]


def files_router(store: Store, tokens: Tokens) -> APIRouter:
    """Routes of the files in a restore point."""
    routes, read = APIRouter(), caller_reader(tokens)

    @routes.get("/{snapshot_id}/files")
    async def list_files(
        request: Request,
        snapshot_id: SnapshotId,
        caller: Annotated[Caller, Depends(read)],
        limit: Limit = FILE_ROWS,
        cursor: str | None = None,
        sort: Sort = "name",
        order: Direction = "asc",
    ) -> Response:
        part = await browse.list_files(
            store,
            caller.organization_id,
            snapshot_id,
            path=read_path(request.scope["query_string"]),
            limit=min(limit, MOST_FILE_ROWS),
            cursor=cursor,
            order=Order(sort, order),
        )
        return json_response(part._asdict())

    @routes.get("/{snapshot_id}/entry")
    async def show_entry(
        request: Request, snapshot_id: SnapshotId, caller: Annotated[Caller, Depends(read)]
    ) -> Response:
        path = read_path(request.scope["query_string"])
        return json_response(await browse.show_entry(store, caller.organization_id, snapshot_id, path=path))

    return routes
