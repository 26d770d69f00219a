"""What other processes read of the lists of labels."""

from typing import Annotated

from chassis.http.server import caller_reader
from chassis.http.tokens import Caller, Tokens
from contracts.messages.classification import Classification
from fastapi import APIRouter, Depends

from catalog.classification import usecases
from catalog.classification.store import ClassificationStore


def build_routes(store: ClassificationStore, tokens: Tokens) -> APIRouter:
    """The lists of the caller's organization."""
    routes, read = APIRouter(prefix="/internal/classification"), caller_reader(tokens)

    @routes.get("")
    async def one(caller: Annotated[Caller, Depends(read)]) -> Classification:
        return await usecases.get_classification(store, caller.organization_id)

    return routes
