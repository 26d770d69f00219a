"""The files in a restore point: directories and their entries."""

from typing import Annotated

from contracts.queries import restore_index as queries
from contracts.queries.restore_index import FILE_ROWS, MOST_FILE_ROWS, PATH, PATH_SCHEMA
from fastapi import APIRouter, Query, Request, Response

from gateway.access.rights import Right
from gateway.areas.files.schemas import EntryView, FilesView
from gateway.areas.files.service import Files
from gateway.http.dependencies import Who, provided
from gateway.http.openapi import problems
from gateway.http.path_parameter import path_of

router = APIRouter(prefix="/api/v1", tags=["snapshots"])
Service = Annotated[Files, provided(Files)]
Sort = Annotated[
    queries.Sort,
    Query(description="What to sort by; a directory's size is that of all below it. Equal ones come by name"),
]
Direction = Annotated[queries.Direction, Query(description="Smallest, oldest, first name first, or last")]


@router.get(
    "/snapshots/{snapshot_id}/files",
    summary="List a directory of a restore point",
    # For the description alone: the answer is the bytes of the index (0037).
    response_model=FilesView,
    responses=problems(404, 409),
)
async def list_files(
    snapshot_id: str,
    request: Request,
    files: Service,
    who: Who,
    *,
    path: Annotated[str, Query(description=PATH, json_schema_extra=PATH_SCHEMA)] = "/",  # noqa: ARG001 - read as bytes
    sort: Sort = "name",
    order: Direction = "asc",
    limit: Annotated[int, Query(ge=1, description=f"Entries at most; never more than {MOST_FILE_ROWS}")] = FILE_ROWS,
    cursor: Annotated[str, Query(max_length=4000, description="`next_cursor` of the page before, same order")] = "",
) -> Response:
    """Sorted, by the bytes of the names unless `sort` says otherwise. `next_cursor` is null on the last page."""
    who.require(Right.READ)
    asked = {"limit": str(min(limit, MOST_FILE_ROWS)), "sort": sort, "order": order, "cursor": cursor}
    found = await files.list(who, snapshot_id, path_of(request), asked)
    return Response(found, media_type="application/json")


@router.get(
    "/snapshots/{snapshot_id}/entry",
    summary="Look at a file or directory of a restore point",
    response_model=EntryView,
    responses=problems(404, 409),
)
async def show_entry(
    snapshot_id: str,
    request: Request,
    files: Service,
    who: Who,
    path: Annotated[str, Query(description=PATH, json_schema_extra=PATH_SCHEMA)] = "/",  # noqa: ARG001 - read as bytes
) -> Response:
    """All that is known of it: owner, mode, times, links, extended attributes, of a directory the totals."""
    who.require(Right.READ)
    found = await files.show(who, snapshot_id, path_of(request))
    return Response(found, media_type="application/json")
