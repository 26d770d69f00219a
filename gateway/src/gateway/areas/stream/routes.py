"""The live stream."""

from typing import Annotated

from chassis.http.server import bearer
from chassis.http.tokens import Tokens
from fastapi import APIRouter, Header, Query, Request

from gateway.access.principals import Principals
from gateway.access.rights import Right
from gateway.areas.stream.listener import Wanted
from gateway.areas.stream.positions import LONGEST_ID
from gateway.areas.stream.response import EventStream
from gateway.areas.stream.schemas import STREAM_EXAMPLE, Kind, StreamEventView
from gateway.areas.stream.service import Streams
from gateway.http.dependencies import Provided, Who, provided
from gateway.http.openapi import problems

router = APIRouter(prefix="/api/v1", tags=["stream"])
Service = Annotated[Streams, provided(Streams)]
MOST_IDS = 100
_EVENTS = {"model": StreamEventView, "content": {"text/event-stream": {"example": STREAM_EXAMPLE}}}


@router.get(
    "/stream",
    summary="Listen to what happens",
    response_class=EventStream,
    status_code=200,
    responses={200: _EVENTS, **problems(429)},
)
async def listen(
    request: Request,
    services: Provided,
    streams: Service,
    who: Who,
    *,
    kind: Annotated[
        list[Kind], Query(max_length=20, description="Only events of these kinds; may be repeated; none: all")
    ] = [],  # noqa: B006 - FastAPI copies it
    id: Annotated[
        list[str],
        Query(
            max_length=MOST_IDS,
            description="Only events about one of these jobs, runs, sources, stores, destinations, resources,"
            " inventories or restore points; may be repeated; none: all. That a restore point is gone is told to its"
            " store and its own id alone, as nobody who announces it knows its source",
        ),
    ] = [],  # noqa: B006
    last_event_id: Annotated[
        str | None,
        Header(
            max_length=LONGEST_ID, description="The `id` of the last event that was read: the stream goes on behind it"
        ),
    ] = None,
) -> EventStream:
    """Server-sent events of the badge's organization, until the client hangs up, from now or `Last-Event-ID` on.

    Each has an `event` (its kind), an `id` and `data` (an object). With a `Last-Event-ID`, everything since then comes
    first, for as long as it is kept; where something is missing, an event `gap` says so. Of `progress` only the latest
    of each job is sent to a client that reads slowly. A client that falls too far behind gets an event `end`
    (`too_slow`), and so does one whose badge or rights end (`token_invalid`, `forbidden`) or whose server stops
    (`server_stopping`): it may connect again and goes on where it was. A comment every 15 s says that the stream lives;
    the id that comes with it stands for all that was said so far.
    """
    who.require(Right.READ)
    token, tokens, principals = bearer(request), services[Tokens], services[Principals]

    async def still_allowed() -> None:
        (await principals.recognize(tokens.read(token))).require(Right.READ)

    wanted = Wanted(frozenset(kind), frozenset(id))
    listener = streams.open(who, wanted, last_event_id=last_event_id, still_allowed=still_allowed)
    return EventStream(listener, leave=streams.leave, stall_seconds=streams.limits.stall_seconds)
