"""Selections of files to take out."""

from typing import Annotated

from contracts.paths import PATH_PATTERN
from pydantic import Field

from gateway.api.bodies.base import Body, example, none_is, whole_number
from gateway.domain.links import DEFAULT_SECONDS, LONGEST_SECONDS, SHORTEST_SECONDS, Format

MOST_PATHS = 10_000
Paths = Annotated[
    tuple[Annotated[str, Field(json_schema_extra={"pattern": PATH_PATTERN})], ...],
    Field(
        min_length=1,
        max_length=MOST_PATHS,
        description="Files and folders as listings show their paths; `/` is everything. What is meant twice comes once",
    ),
]

_Told = Annotated[int, Field(strict=True, ge=SHORTEST_SECONDS, le=LONGEST_SECONDS)]
Seconds = Annotated[_Told, whole_number(_Told)]


class ArchiveBody(Body):
    """Files and folders to download together."""

    model_config = example(paths=["/documents", "/letter.txt"], format="zip")

    paths: Paths
    format: Format


class LinkBody(Body):
    """A download that somebody without a badge may make."""

    model_config = example(paths=["/documents/letter.txt"], format=None, expires_in=3600)

    paths: Paths
    format: Format | None = Field(default=None, description="null: one file as it is, anything else as zip")
    expires_in: Annotated[Seconds, none_is(DEFAULT_SECONDS, Seconds)] = Field(
        default=DEFAULT_SECONDS, description="Seconds; 7 days at most"
    )
