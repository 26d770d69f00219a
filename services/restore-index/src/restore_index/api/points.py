"""Restore points."""

from typing import Annotated

from chassis.http.server import caller_reader
from chassis.http.tokens import Caller, Tokens
from contracts.queries.base import Listing
from contracts.queries.restore_index import IndexedRestorePoint, LatestPointsQuestion
from contracts.values import AppId, SnapshotId
from fastapi import APIRouter, Depends, Query

from restore_index.api.answers import show_point
from restore_index.store import Store
from restore_index.usecases import find_restore_points, protection

WAIT_SECONDS_MAX = 5.0


def points_router(store: Store, tokens: Tokens) -> APIRouter:
    """Routes of restore points."""
    routes, read = APIRouter(), caller_reader(tokens)

    @routes.get("")
    async def list_points(
        caller: Annotated[Caller, Depends(read)],
        store_id: AppId | None = None,
        snapshot_id: SnapshotId | None = None,
        source_id: AppId | None = None,
        limit: Annotated[int, Query(ge=0, description="Of a source: at most so many, of any; 0: all")] = 0,
    ) -> Listing[IndexedRestorePoint]:
        org = caller.organization_id
        if snapshot_id is not None:
            found = await find_restore_points.list_same(store, org, snapshot_id)
        elif source_id is not None:
            found = await find_restore_points.list_from(store, org, source_id, limit=limit)
        else:
            found = await find_restore_points.list_points(store, org, store_id)
        marks = await protection.marks(store, org)
        return Listing(items=tuple(show_point(point, marks) for point in found))

    @routes.post("/latest")
    async def list_latest(
        asked: LatestPointsQuestion, caller: Annotated[Caller, Depends(read)]
    ) -> Listing[IndexedRestorePoint]:
        org = caller.organization_id
        found = await find_restore_points.list_latest(store, org, asked.source_ids, limit=asked.limit)
        marks = await protection.marks(store, org)
        return Listing(items=tuple(show_point(point, marks) for point in found))

    @routes.get("/{snapshot_id}")
    async def get_point(
        snapshot_id: SnapshotId,
        caller: Annotated[Caller, Depends(read)],
        store_id: AppId | None = None,
        wait_seconds: Annotated[float, Query(ge=0, le=WAIT_SECONDS_MAX)] = 0,
    ) -> IndexedRestorePoint:
        org = caller.organization_id
        return show_point(
            await find_restore_points.wait_until_settled(
                store, org, snapshot_id, store_id=store_id, seconds=wait_seconds
            )
        )

    return routes
