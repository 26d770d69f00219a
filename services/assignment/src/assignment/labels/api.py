"""What other processes read of labels."""

from collections.abc import Sequence
from typing import Annotated

from chassis.http.server import caller_reader
from chassis.http.tokens import Caller, Tokens
from contracts.queries.base import Listing
from contracts.queries.classification import LabelUse
from fastapi import APIRouter, Depends

from assignment.labels import usecases
from assignment.labels.usecases import LabelHolder


def build_routes(holders: Sequence[LabelHolder], tokens: Tokens) -> APIRouter:
    """How often the labels of the caller's organization are used."""
    routes, read = APIRouter(prefix="/internal/labels"), caller_reader(tokens)

    @routes.get("")
    async def listing(caller: Annotated[Caller, Depends(read)]) -> Listing[LabelUse]:
        return Listing(items=tuple(await usecases.count_labels(holders, caller.organization_id)))

    return routes
