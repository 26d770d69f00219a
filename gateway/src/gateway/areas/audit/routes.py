"""The audit log."""

from typing import Annotated

from fastapi import APIRouter, Query

from gateway.access.rights import Right
from gateway.areas.audit.schemas import AuditPageView, row_view
from gateway.http.dependencies import Audit, WhoInOrganization
from gateway.http.openapi import problems

router = APIRouter(prefix="/api/v1", tags=["audit"])
ROWS, MOST_ROWS = 100, 1000


@router.get("/account/organizations/{org}/audit", summary="Read the audit log", responses=problems(404))
async def list_audit(
    audit: Audit,
    who: WhoInOrganization,
    *,
    limit: Annotated[int, Query(ge=1, description=f"Entries at most; never more than {MOST_ROWS}")] = ROWS,
    # No offset: entries are added all the time and would move the rows of later pages.
    cursor: Annotated[str, Query(max_length=100, description="`next_cursor` of the page before")] = "",
    action: Annotated[
        str, Query(pattern=r"^[a-z.-]{0,64}$", description="Only entries with this action, e.g. `file.download`")
    ] = "",
) -> AuditPageView:
    """Newest first. For owners, administrators and auditors."""
    who.require(Right.AUDIT)
    found, following = await audit.page(
        who.organization_id, action=action or None, cursor=cursor or None, limit=min(limit, MOST_ROWS)
    )
    return AuditPageView(items=[row_view(e) for e in found], next_cursor=following)
