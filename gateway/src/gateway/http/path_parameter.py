"""The parameter `path`: names of files are bytes."""

from typing import Annotated

from chassis.http.byte_parameters import bytes_parameter
from contracts.paths import PATH_PATTERN
from contracts.queries.restore_index import PATH_SCHEMA
from fastapi import Request
from pydantic import Field

PathText = Annotated[str, Field(json_schema_extra=PATH_SCHEMA)]


def path_of(request: Request) -> bytes:
    """The `path` of the query as the bytes it stands for, which need not be UTF-8."""
    # From the raw query: the framework has decoded its parameters as UTF-8, and what is none is lost in that.
    found = bytes_parameter(request.scope["query_string"], "path")
    return b"/" if found is None else found


MOST_PATHS = 10_000

Paths = Annotated[
    tuple[Annotated[str, Field(json_schema_extra={"pattern": PATH_PATTERN})], ...],
    Field(
        min_length=1,
        max_length=MOST_PATHS,
        description="Files and folders as listings show their paths; `/` is everything. What is meant twice comes once",
    ),
]
