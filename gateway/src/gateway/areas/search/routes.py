"""Finding files in restore points."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from chassis.http.byte_parameters import bytes_parameters
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, BeforeValidator, Field

from gateway.access.rights import Right
from gateway.areas.search.schemas import HitsView, SeenHitsView
from gateway.areas.search.service import Search
from gateway.http.dependencies import Who, provided
from gateway.http.openapi import problems
from gateway.http.path_parameter import PATH, PATH_SCHEMA

router = APIRouter(prefix="/api/v1", tags=["snapshots"])
Service = Annotated[Search, provided(Search)]
HITS, MOST_HITS = 100, 1000
LONGEST_TEXT, LONGEST_CURSOR = 4000, 20_000
_AS_BYTES = ("q", "glob", "ext", "path")
_GLOB = (
    "A pattern of the name, with `*`, `?` and `[...]`; with a slash in it, of the path from the root, where `**` "
    "stands for any number of directories"
)
_TYPE = Literal["file", "dir", "symlink", "dev", "chardev", "fifo", "socket", "irregular"]


LARGEST_SIZE = 2**63 - 1
_ENDINGS = r"^[^,\x00]+(,[^,\x00]+)*$"


def _written_out(value: object) -> object:
    """Pydantic takes any number for a time, too."""
    if isinstance(value, str) and not re.match(r"\d{4}-\d{2}-\d{2}([Tt ]|$)", value):
        raise ValueError("must be a date and time as RFC 3339 has them")
    return value


_Moment = Annotated[datetime, BeforeValidator(_written_out)]


class Conditions(BaseModel):
    """What is looked for. Names are bytes: `q`, `glob`, `ext` and `path` are passed on as they were sent."""

    q: str | None = Field(default=None, min_length=1, max_length=LONGEST_TEXT, description="A part of the name")
    glob: str | None = Field(default=None, min_length=1, max_length=LONGEST_TEXT, description=_GLOB)
    ext: list[Annotated[str, Field(json_schema_extra={"pattern": _ENDINGS})]] | None = Field(
        default=None, description="What the name ends with after a dot; several, also with commas: any of them"
    )
    min_size: int | None = Field(
        default=None, ge=0, le=LARGEST_SIZE, description="Bytes at least; of a directory: of all below it"
    )
    max_size: int | None = Field(default=None, ge=0, le=LARGEST_SIZE, description="Bytes at most")
    modified_after: _Moment | None = Field(default=None, description="Changed then or later; UTC unless told")
    modified_before: _Moment | None = Field(default=None, description="Changed before that")
    type: list[_TYPE] | None = Field(default=None, description="Several: any of them")
    path: str = Field(
        default="/", json_schema_extra=PATH_SCHEMA, description=f"Only what is below this directory. {PATH}"
    )
    limit: int = Field(default=HITS, ge=1, description=f"Rows at most; never more than {MOST_HITS}")
    cursor: str = Field(
        default="", max_length=LONGEST_CURSOR, description="`next_cursor` of the page before, with the same conditions"
    )

    def parameters(self, request: Request) -> Sequence[tuple[str, bytes]]:
        """The same, as it is passed on."""
        query = request.scope["query_string"]
        told = {"min_size": self.min_size, "max_size": self.max_size, "limit": min(self.limit, MOST_HITS)}
        moments = {"modified_after": self.modified_after, "modified_before": self.modified_before}
        parameters = [(name, value) for name in _AS_BYTES for value in bytes_parameters(query, name)]
        parameters += [(name, b"%d" % number) for name, number in told.items() if number is not None]
        parameters += [(name, moment.isoformat().encode()) for name, moment in moments.items() if moment is not None]
        parameters += [("type", name.encode()) for name in self.type or ()]
        return parameters + ([("cursor", self.cursor.encode())] if self.cursor else [])


class ConditionsAnywhere(Conditions):
    """What is looked for, and in which restore points."""

    source_id: str | None = Field(default=None, description="Only in restore points of this source")
    store_id: str | None = Field(default=None, description="Only in restore points in this store")


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
    found = await searches.search_in(who, snapshot_id, conditions.parameters(request))
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
        who, conditions.parameters(request), source_id=conditions.source_id, store_id=conditions.store_id
    )
    return Response(found, media_type="application/json")
