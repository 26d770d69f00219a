"""What became of files: their versions, and what differs between two restore points."""

from typing import Annotated

from contracts.queries.restore_index import FILE_ROWS, LONGEST_CURSOR, MOST_FILE_ROWS, PATH_SCHEMA
from fastapi import APIRouter, Query, Request, Response

from gateway.access.rights import Right
from gateway.areas.history.schemas import LINES, ChangesView, VersionsView
from gateway.areas.history.service import History, Part
from gateway.http.dependencies import Who, provided
from gateway.http.openapi import problems
from gateway.http.path_parameter import path_of
from gateway.http.proxy import ProxyResponse

router = APIRouter(prefix="/api/v1", tags=["snapshots"])
Service = Annotated[History, provided(History)]
NDJSON = "application/x-ndjson"
_PATH = "Percent-encoded bytes from the root of the source; bytes that are no UTF-8 may be shown as `\\xff`"
_DIRECTORY = "A directory of either restore point, in percent-encoded bytes: only what is below it is compared"
Limit = Annotated[int, Query(ge=1, description=f"Rows at most; never more than {MOST_FILE_ROWS}")]
Cursor = Annotated[str, Query(max_length=LONGEST_CURSOR, description="`next_cursor` of the page before")]


@router.get(
    "/connectors/{source_id}/versions",
    summary="List versions of a file",
    response_model=VersionsView,
    responses=problems(404, 409),
)
async def list_versions(
    source_id: str,
    request: Request,
    history: Service,
    who: Who,
    *,
    path: Annotated[str, Query(description=_PATH, json_schema_extra=PATH_SCHEMA)],  # noqa: ARG001 - read as bytes
    limit: Limit = FILE_ROWS,
    cursor: Cursor = "",
) -> Response:
    """Over all restore points of a source that can be browsed, in all its stores, newest first.

    Restore points that follow each other and have the same there are one version. `changed` says what it differs in
    from the version before: `content`, `size`, `mtime`, `mode`, `owner`, `type`, `link_target`, `attributes`; also
    `created` (older restore points do not have it), `removed` (these do not have it; `entry` is null) and `reappeared`;
    it is empty for what the oldest restore point has. Of a directory, `content` means anything below it.
    """
    who.require(Right.READ)
    part = Part(path_of(request), min(limit, MOST_FILE_ROWS), cursor)
    return Response(await history.versions(who, source_id, part), media_type="application/json")


@router.get(
    "/snapshots/{snapshot_id}/diff/{other_id}",
    summary="Compare two restore points",
    response_model=ChangesView,
    responses={
        200: {
            "description": "What differs; with `stream`, or for who accepts `application/x-ndjson`, as lines.",
            "content": {NDJSON: {"schema": {"type": "string"}, "example": LINES}},
        },
        **problems(404, 409),
    },
)
async def compare(
    snapshot_id: str,
    other_id: str,
    request: Request,
    history: Service,
    who: Who,
    *,
    path: Annotated[str, Query(description=_DIRECTORY, json_schema_extra=PATH_SCHEMA)] = "/",  # noqa: ARG001 - read as bytes
    limit: Limit = FILE_ROWS,
    cursor: Cursor = "",
    stream: Annotated[bool, Query(description="All rows as lines of JSON; `limit` and `cursor` do not count")] = False,
) -> Response:
    """From the first restore point to the other, in the order of paths, part by part by their bytes.

    `change` is `added`, `removed`, `changed` or `moved`. Each entry below a directory that is gone, or is new, has a
    row; a directory moved as a whole has one. Moved is what is gone at one path (`from`) and there at another with the
    same content, if it is not empty. What became of another type is removed and added.

    Between restore points of different stores contents are not compared: `content` is changed where `size` is, and
    only whole directories are reported as moved. `moves_complete` is false, and `summary` null, where so much differs
    that not all of it was looked at in advance: some of what was moved may then be reported as removed and added.

    A page may have fewer rows than `limit`, or none, and a `next_cursor`: one answer looks at a part of the trees only.

    As a stream, lines with `change` are rows, lines with `progress` say that it is still going on, and the last line
    has the `summary`. A stream that ends without it has broken off.
    """
    who.require(Right.READ)
    pair, sought = (snapshot_id, other_id), path_of(request)
    if stream or _accepts_lines(request):
        # Line by line as it is found: all that differs may be millions of rows.
        return ProxyResponse(lambda: history.all_changes(who, pair, sought))
    found = await history.changes(who, pair, Part(sought, min(limit, MOST_FILE_ROWS), cursor))
    return Response(found, media_type="application/json")


def _accepts_lines(request: Request) -> bool:
    # Only where lines are named: most clients accept `*/*` and expect JSON.
    accepted = request.headers.get("accept", "").lower().split(",")
    return any(each.split(";")[0].strip() == NDJSON for each in accepted)
