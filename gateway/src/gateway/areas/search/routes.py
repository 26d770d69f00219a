"""Finding files in restore points."""

from collections.abc import Sequence
from typing import Annotated

from chassis.http.byte_parameters import bytes_parameters
from contracts.queries.restore_index import MOST_FILE_ROWS, Conditions, ConditionsAnywhere
from fastapi import APIRouter, Query, Request, Response

from gateway.access.rights import Right
from gateway.areas.search.schemas import HitsView, SeenHitsView
from gateway.areas.search.service import Search
from gateway.http.dependencies import Who, provided
from gateway.http.openapi import problems

router = APIRouter(prefix="/api/v1", tags=["snapshots"])
Service = Annotated[Search, provided(Search)]
# Names of files are bytes, and the framework has decoded its parameters as UTF-8.
_AS_BYTES = ("q", "glob", "ext", "path")


@router.get(
    "/snapshots/{snapshot_id}/search",
    summary="Search in a restore point",
    response_model=HitsView,
    responses=problems(404, 409),
)
async def search_snapshot(
    snapshot_id: str, request: Request, searches: Service, who: Who, conditions: Annotated[Conditions, Query()]
) -> Response:
    """What fulfils all conditions, at least one of them, in the order of paths.

    Case does not matter, nor how accents are written; a name that is no UTF-8 is matched as it is shown.
    """
    who.require(Right.READ)
    found = await searches.search_in(who, snapshot_id, _parameters(conditions, request))
    return Response(found, media_type="application/json")


@router.get(
    "/search", summary="Search across restore points", response_model=SeenHitsView, responses=problems(404, 409)
)
async def search(
    request: Request, searches: Service, who: Who, conditions: Annotated[ConditionsAnywhere, Query()]
) -> Response:
    """One row for each path, in the order of paths, as the newest restore point has it, and those that have it.

    Conditions are those of a search in one restore point. Without source and store: in all of the organization.
    """
    who.require(Right.READ)
    found = await searches.search(
        who, _parameters(conditions, request), source_id=conditions.source_id, store_id=conditions.store_id
    )
    return Response(found, media_type="application/json")


def _parameters(conditions: Conditions, request: Request) -> Sequence[tuple[str, bytes]]:
    """The conditions as they are passed on: texts as the bytes that came, times and sizes as they were read."""
    query = request.scope["query_string"]
    numbers = {
        "min_size": conditions.min_size,
        "max_size": conditions.max_size,
        "limit": min(conditions.limit, MOST_FILE_ROWS),
    }
    moments = {"modified_after": conditions.modified_after, "modified_before": conditions.modified_before}
    parameters = [(name, value) for name in _AS_BYTES for value in bytes_parameters(query, name)]
    parameters += [(name, b"%d" % number) for name, number in numbers.items() if number is not None]
    parameters += [(name, moment.isoformat().encode()) for name, moment in moments.items() if moment is not None]
    parameters += [("type", name.encode()) for name in conditions.type or ()]
    return parameters + ([("cursor", conditions.cursor.encode())] if conditions.cursor else [])
