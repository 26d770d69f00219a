"""What other processes read of the lists of labels."""

from typing import Annotated

from chassis.http.server import caller_reader
from chassis.http.tokens import Caller, Tokens
from contracts.queries.classification import UsedClassification
from fastapi import APIRouter, Depends

from catalog.classification import usecases
from catalog.classification.store import ClassificationStore
from catalog.classification.usecases import TagSets


def build_routes(store: ClassificationStore, tokens: Tokens, tag_sets: TagSets) -> APIRouter:
    """The lists of the caller's organization, and which labels its resources name."""
    routes, read = APIRouter(prefix="/internal/classification"), caller_reader(tokens)

    @routes.get("")
    async def one(caller: Annotated[Caller, Depends(read)]) -> UsedClassification:
        return await usecases.get_classification(store, caller.organization_id, tag_sets=tag_sets)

    return routes
