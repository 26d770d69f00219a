"""The parameters by which resources are listed."""

from typing import Annotated

from contracts.queries.catalog import CoverageStatus, ResourceSort
from fastapi import Depends, Query

from gateway.clients.catalog import ResourceFilter
from gateway.http.dependencies import Search

MOST = 50
Classes = Annotated[
    list[str] | None, Query(alias="class[]", max_length=MOST, description="Only of these classes; empty: without one")
]
ExcludedClasses = Annotated[
    list[str] | None, Query(alias="exclude_class[]", max_length=MOST, description="None of these classes")
]
Tags = Annotated[list[str] | None, Query(alias="tags[]", max_length=MOST, description="Only with all of these tags")]
Status = Annotated[CoverageStatus | None, Query(description="Only in this state of protection")]
Sort = Annotated[
    ResourceSort,
    Query(description="The order; with a dash, the last first. `created`: oldest first. Ties: oldest first"),
]


async def filter_of(
    search: Search = "",
    classes: Classes = None,
    exclude_classes: ExcludedClasses = None,
    tags: Tags = None,
    status: Status = None,
    sort: Sort = "created",
) -> ResourceFilter:
    """What the query asks for, of all inventories."""
    return ResourceFilter(
        classes=classes or (),
        exclude_classes=exclude_classes or (),
        tags=tags or (),
        status=status,
        search=search,
        sort=sort,
    )


Wanted = Annotated[ResourceFilter, Depends(filter_of)]
