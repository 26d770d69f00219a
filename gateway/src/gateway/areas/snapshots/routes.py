"""Restore points."""

from typing import Annotated

from fastapi import APIRouter

from gateway.access.rights import Right
from gateway.areas.snapshots.schemas import CopiesView, SnapshotView, copies_view, snapshot_view
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


@router.get(
    "/snapshots/store/{store_id}/{snapshot_id}", summary="Read a restore point of a store", responses=problems(404)
)
async def read_in_store(store_id: str, snapshot_id: str, snapshots: Service, who: Who) -> SnapshotView:
    """One restore point as one store has it."""
    who.require(Right.READ)
    return snapshot_view(await snapshots.in_store(who, store_id, snapshot_id))


@router.get("/snapshots/source/{source_id}", summary="List restore points of a source", responses=problems(404))
async def list_of_source(source_id: str, snapshots: Service, who: Who) -> PageView[CopiesView]:
    """All of them, newest first, each with the stores that have it; also those of a source that was removed."""
    if not who.may(Right.READ):
        return whole([])
    return whole([copies_view(copies) for copies in await snapshots.of_source(who, source_id)])


@router.get(
    "/snapshots/source/{source_id}/{snapshot_id}", summary="Read a restore point of a source", responses=problems(404)
)
async def read_of_source(source_id: str, snapshot_id: str, snapshots: Service, who: Who) -> CopiesView:
    """One restore point, with the stores that have it."""
    who.require(Right.READ)
    return copies_view(await snapshots.from_source(who, source_id, snapshot_id))


@router.get("/snapshots/{snapshot_id}", summary="Read a restore point", responses=problems(404))
async def read_everywhere(snapshot_id: str, snapshots: Service, who: Who) -> CopiesView:
    """One restore point, with the stores that have it."""
    who.require(Right.READ)
    return copies_view(await snapshots.everywhere(who, snapshot_id))
