"""What may be deleted, and what a rule would delete."""

from typing import Annotated

from chassis.http.server import caller_reader
from chassis.http.tokens import Caller, Tokens
from contracts.prune_rules import PruneRule
from contracts.queries.restore_index import Deletion, PruneDecision, RetentionFloor
from contracts.values import AppId, JobId
from fastapi import APIRouter, Depends

from restore_index.store import Store
from restore_index.usecases import protection


def protection_router(store: Store, tokens: Tokens) -> APIRouter:
    """Routes about deletions."""
    routes, read = APIRouter(), caller_reader(tokens)

    @routes.post("/stores/{store_id}/prune-preview")
    async def preview_prune(
        store_id: AppId, rule: PruneRule, caller: Annotated[Caller, Depends(read)]
    ) -> PruneDecision:
        return await protection.preview(store, caller.organization_id, store_id, rule)

    @routes.get("/stores/{store_id}/deletions/{job_id}")
    async def get_deletion(
        store_id: AppId, job_id: JobId, caller: Annotated[Caller, Depends(read)], *, reserved: bool = False
    ) -> Deletion:
        org = caller.organization_id
        return await protection.get_deletion(store, org, store_id, job_id, reserved=reserved)

    @routes.get("/retention-floor")
    async def get_floor(caller: Annotated[Caller, Depends(read)]) -> RetentionFloor:
        kept = await protection.get_floor(store, caller.organization_id)
        return RetentionFloor(min_versions=kept.min_versions)

    return routes
