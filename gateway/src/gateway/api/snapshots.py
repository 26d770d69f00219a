"""Restore points."""

from typing import Annotated

from chassis.http.byte_parameters import bytes_parameter
from contracts.paths import PATH_PATTERN
from fastapi import APIRouter, Request
from pydantic import Field, JsonValue

from gateway.api.documents import problems
from gateway.api.gate import Opened, Right, Who
from gateway.api.views.base import PageView, whole
from gateway.api.views.snapshots import SnapshotView, snapshot_view

PATH_SCHEMA: dict[str, JsonValue] = {"pattern": PATH_PATTERN}
PathText = Annotated[str, Field(json_schema_extra=PATH_SCHEMA)]
router = APIRouter(prefix="/api/v1", tags=["snapshots"])
PATH = "Percent-encoded bytes from the root of the restore point; bytes that are no UTF-8 may be shown as `\\xff`"


@router.get("/snapshots/store/{store_id}", summary="List restore points of a store", responses=problems(404))
async def list_snapshots(store_id: str, gate: Opened, who: Who) -> PageView[SnapshotView]:
    """All of them, newest first. `creation_time` sorts as text."""
    if not who.may(Right.READ):
        return whole([])
    return whole([snapshot_view(p) for p in await gate.snapshots.of_store(who, store_id)])


def path_of(request: Request) -> bytes:
    """The `path` of the query as the bytes it stands for, which need not be UTF-8."""
    found = bytes_parameter(request.scope["query_string"], "path")
    return b"/" if found is None else found
