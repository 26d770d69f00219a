"""Deletion by rule, legal holds, and the floor of an organization."""

from typing import Annotated

from fastapi import APIRouter

from gateway.access.rights import Right
from gateway.areas.protection.schemas import (
    PruneBody,
    PrunePreviewView,
    PruneRunView,
    RetentionBody,
    RetentionView,
    SnapshotPatch,
    preview_view,
    run_view,
)
from gateway.areas.protection.service import Protection
from gateway.areas.snapshots.schemas import CopiesView, SnapshotView, copies_view, snapshot_view
from gateway.areas.snapshots.service import Snapshots
from gateway.audit_log.entries import LIFT_HOLD, PRUNE, SET_FLOOR, SET_HOLD
from gateway.http.dependencies import Audit, RequestIntent, Who, WhoInOrganization, provided
from gateway.http.openapi import problems, writes

router = APIRouter(prefix="/api/v1", tags=["snapshots"])
settings_router = APIRouter(prefix="/api/v1", tags=["organizations"])
Service = Annotated[Protection, provided(Protection)]
KnownSnapshots = Annotated[Snapshots, provided(Snapshots)]


@router.post(
    "/snapshots/store/{store_id}/prune/preview",
    summary="See what a rule of retention would delete",
    responses=problems(404, 409, 413),
)
async def preview_prune(store_id: str, body: PruneBody, protection: Service, who: Who) -> PrunePreviewView:
    """Nothing is changed. Restore points that are being deleted already take no part."""
    who.require(Right.READ)
    return preview_view(await protection.preview(who, store_id, body.rule()))


@router.post(
    "/snapshots/store/{store_id}/prune/run",
    summary="Delete what a rule of retention does not keep",
    responses=writes(404, 409),
)
async def run_prune(
    store_id: str, body: PruneBody, audit: Audit, protection: Service, who: Who, intent: RequestIntent
) -> PruneRunView:
    """Answers at once with what will be deleted; the deletion is one run or several (`at_ids`), to be polled as others.

    The same rule right after finds nothing more to delete. Each run stands in the audit log (`snapshot.delete`).
    """
    who.require(Right.RUN)
    async with audit.change(who, PRUNE, "store", store_id, **body.summary()):
        return run_view(await protection.prune(who, store_id, body.rule(), intent))


@router.patch(
    "/snapshots/store/{store_id}/{snapshot_id}",
    summary="Set or lift the legal hold of a restore point in a store",
    responses=writes(404, 409),
)
async def hold_in_store(
    store_id: str,
    snapshot_id: str,
    body: SnapshotPatch,
    audit: Audit,
    protection: Service,
    snapshots: KnownSnapshots,
    who: Who,
    intent: RequestIntent,
) -> SnapshotView:
    """Under hold nobody deletes it, by rule or by hand. Refused (`restore_point_being_deleted`) when it is too late."""
    who.require(Right.WRITE)
    point = await snapshots.in_store(who, store_id, snapshot_id)
    action = SET_HOLD if body.legal_hold else LIFT_HOLD
    async with audit.change(who, action, "snapshot", snapshot_id, store_id=store_id, **body.summary()):
        await protection.change_hold(who, [point], body.hold, intent)
        return snapshot_view(await snapshots.in_store(who, store_id, snapshot_id))


@router.patch(
    "/snapshots/{snapshot_id}",
    summary="Set or lift the legal hold of a restore point in every store",
    responses=writes(404, 409),
)
async def hold_everywhere(
    snapshot_id: str,
    body: SnapshotPatch,
    audit: Audit,
    protection: Service,
    snapshots: KnownSnapshots,
    who: Who,
    intent: RequestIntent,
) -> CopiesView:
    """In each store that has it, one after the other; what a refusal leaves out can be asked for again."""
    who.require(Right.WRITE)
    points = await snapshots.everywhere(who, snapshot_id)
    action = SET_HOLD if body.legal_hold else LIFT_HOLD
    async with audit.change(who, action, "snapshot", snapshot_id, **body.summary()):
        await protection.change_hold(who, points, body.hold, intent)
        return copies_view(await snapshots.everywhere(who, snapshot_id))


@settings_router.get(
    "/account/organizations/{org}/settings/retention", summary="Read the floor of retention", responses=problems(404)
)
async def read_retention(protection: Service, who: WhoInOrganization) -> RetentionView:
    """How many restore points of each source stay in each store whatever a rule or a person says; 0: none has to."""
    who.require(Right.READ)
    return RetentionView(min_versions=(await protection.floor(who)).min_versions)


@settings_router.put(
    "/account/organizations/{org}/settings/retention", summary="Set the floor of retention", responses=writes(404)
)
async def set_retention(
    body: RetentionBody, audit: Audit, protection: Service, who: WhoInOrganization, intent: RequestIntent
) -> RetentionView:
    """Counts from the next decision on; what is being deleted already is not kept by it."""
    who.require(Right.WRITE)
    async with audit.change(who, SET_FLOOR, "organization", who.organization_id, min_versions=body.min_versions):
        kept = await protection.set_floor(who, body.min_versions, intent)
    return RetentionView(min_versions=kept.min_versions)
