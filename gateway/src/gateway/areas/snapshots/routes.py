"""Restore points."""

from typing import Annotated

from fastapi import APIRouter

from gateway.access.rights import Right
from gateway.areas.snapshots.schemas import SnapshotView, snapshot_view
from gateway.areas.snapshots.service import Snapshots
from gateway.http.answers import PageView, whole
from gateway.http.dependencies import Who, provided
from gateway.http.openapi import problems

router = APIRouter(prefix="/api/v1", tags=["snapshots"])
Service = Annotated[Snapshots, provided(Snapshots)]


@router.get("/snapshots/store/{store_id}", summary="List restore points of a store", responses=problems(404))
async def list_snapshots(store_id: str, snapshots: Service, who: Who) -> PageView[SnapshotView]:
    """All of them, newest first. `creation_time` sorts as text."""
    if not who.may(Right.READ):
        return whole([])
    # Complete: clients ask once and do not look for further pages.
    return whole([snapshot_view(p) for p in await snapshots.of_store(who, store_id)])
