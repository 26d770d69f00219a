"""Links to downloads."""

from typing import Annotated

from fastapi import APIRouter

from gateway.access.rights import Right
from gateway.areas.links.schemas import LinkBody, LinkView
from gateway.areas.links.service import Links
from gateway.http.dependencies import Who, provided
from gateway.http.openapi import problems

router = APIRouter(prefix="/api/v1", tags=["snapshots"])
Service = Annotated[Links, provided(Links)]


@router.post(
    "/snapshots/{snapshot_id}/links", summary="Make a link to a download", responses=problems(404, 409, 413, 422)
)
async def make_link(snapshot_id: str, body: LinkBody, links: Service, who: Who) -> LinkView:
    """For one file or an archive; works without a badge until it expires, as long as its maker may read.

    A selection with too many paths for a URL is refused (`link_too_long`).
    """
    who.require(Right.READ)
    made = await links.make(
        who, snapshot_id, [path.encode() for path in body.paths], form=body.format, seconds=body.expires_in
    )
    return LinkView(url=made.url, expires_at=made.expires_at)
