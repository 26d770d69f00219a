"""The door for reads of other processes."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from chassis.queries import bytes_parameter
from chassis.tokens import Caller, Tokens
from chassis.web import Check, build_internal_api, caller_reader
from contracts.values import AppId, SnapshotId, Value
from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from pydantic import Field

from restore_index import usecases
from restore_index.domain.points import Point
from restore_index.store import Store

FILES_LIMIT_MOST = 1000
Limit = Annotated[int, Query(ge=1, description=f"How many at most; {FILES_LIMIT_MOST} even if more are asked for")]


class KnownQuestion(Value):
    """Which of these directories of a store need not be sent?"""

    store_id: AppId
    tree_ids: tuple[str, ...] = Field(max_length=5000)


def build_api(store: Store, tokens: Tokens, *, checks: Mapping[str, Check]) -> FastAPI:
    """The internal HTTP API of the restore index."""
    app = build_internal_api("Cairn restore index", checks=checks)
    app.include_router(_points(store, tokens), prefix="/internal/restore-points")
    app.include_router(_files(store, tokens), prefix="/internal/restore-points")
    app.include_router(_directories(store, tokens), prefix="/internal/directories")
    return app


def _points(store: Store, tokens: Tokens) -> APIRouter:
    routes, read = APIRouter(), caller_reader(tokens)

    @routes.get("")
    async def list_points(
        caller: Annotated[Caller, Depends(read)],
        store_id: AppId | None = None,
        snapshot_id: SnapshotId | None = None,
    ) -> dict[str, Any]:
        org = caller.organization_id
        if snapshot_id is not None:
            found = await usecases.list_same(store, org, snapshot_id)
        else:
            found = await usecases.list_points(store, org, store_id)
        return {"items": [show_point(point) for point in found]}

    @routes.get("/{snapshot_id}")
    async def get_point(snapshot_id: SnapshotId, caller: Annotated[Caller, Depends(read)]) -> dict[str, Any]:
        return show_point(await usecases.get_point(store, caller.organization_id, snapshot_id))

    return routes


def _files(store: Store, tokens: Tokens) -> APIRouter:
    routes, read = APIRouter(), caller_reader(tokens)

    @routes.get("/{snapshot_id}/files")
    async def list_files(
        request: Request,
        snapshot_id: SnapshotId,
        caller: Annotated[Caller, Depends(read)],
        limit: Limit = 100,
        cursor: str | None = None,
    ) -> Response:
        path, part = await usecases.list_files(
            store,
            caller.organization_id,
            snapshot_id,
            path=read_path(request.scope["query_string"]),
            limit=min(limit, FILES_LIMIT_MOST),
            cursor=cursor,
        )
        return _json({"path": path, **part._asdict()})

    return routes


def _directories(store: Store, tokens: Tokens) -> APIRouter:
    routes, read = APIRouter(), caller_reader(tokens)

    @routes.post("/known")
    async def known_directories(question: KnownQuestion, caller: Annotated[Caller, Depends(read)]) -> Response:
        known = await usecases.known_directories(store, caller.organization_id, question.store_id, question.tree_ids)
        return _json({"known": known})

    return routes


def read_path(query: bytes) -> bytes:
    """The parameter `path` of a query, byte for byte; the root without one."""
    found = bytes_parameter(query, "path")
    return b"/" if found is None else found


def show_point(point: Point) -> dict[str, Any]:
    """A restore point as other processes see it."""
    totals = point.totals.model_dump() if point.totals else None
    return {**point.restore_point.model_dump(mode="json"), "browsable": point.browsable, "totals": totals}


def _json(answer: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(answer), media_type="application/json")
