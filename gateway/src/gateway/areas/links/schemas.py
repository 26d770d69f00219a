"""Links to downloads."""

from typing import Annotated

from contracts.json_values import whole_number
from pydantic import Field

from gateway.areas.links.tokens import DEFAULT_SECONDS, LONGEST_SECONDS, SHORTEST_SECONDS, Format
from gateway.http.answers import Stamp, View
from gateway.http.body_fields import Body, none_is
from gateway.http.examples import example
from gateway.http.path_parameter import Paths


class LinkView(View):
    """A link that stands for one download."""

    model_config = example(
        url=f"https://cairn.example.com/api/v1/snapshots/{'5f' * 32}/content?link=q83vEjRWeJ...",
        expires_at="2026-11-23T09:00:00.000Z",
    )

    url: str = Field(description="Whoever has it can use it until then: treat it as a password")
    expires_at: Stamp


_Asked = Annotated[int, Field(strict=True, ge=SHORTEST_SECONDS, le=LONGEST_SECONDS)]

Seconds = Annotated[_Asked, whole_number(_Asked)]


class LinkBody(Body):
    """A download that somebody without a badge may make."""

    model_config = example(paths=["/documents/letter.txt"], format=None, expires_in=3600)

    paths: Paths
    format: Format | None = Field(default=None, description="null: one file as it is, anything else as zip")
    expires_in: Annotated[Seconds, none_is(DEFAULT_SECONDS, Seconds)] = Field(
        default=DEFAULT_SECONDS, description="Seconds; 7 days at most"
    )
