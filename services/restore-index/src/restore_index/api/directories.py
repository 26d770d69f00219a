"""What is known of a store's directories."""

from typing import Annotated

from chassis.http.server import caller_reader
from chassis.http.tokens import Caller, Tokens
from contracts.values import AppId, Value
from fastapi import APIRouter, Depends, Response
from pydantic import Field

from restore_index.api.answers import json_response
from restore_index.store import Store
from restore_index.usecases import indexing


class KnownQuestion(Value):
    """Which of these directories of a store need not be sent?"""

    store_id: AppId
    tree_ids: tuple[str, ...] = Field(max_length=5000)


class ArrivedQuestion(Value):
    """How many pages of this directory need not be sent again, if those before `first` need not?"""

    store_id: AppId
    tree_id: str
    pages: int = Field(ge=1, le=1 << 31)
    first: int = Field(default=0, ge=0, le=1 << 31)


def directories_router(store: Store, tokens: Tokens) -> APIRouter:
    """Routes about directories of a store."""
    routes, read = APIRouter(), caller_reader(tokens)

    @routes.post("/known")
    async def known_directories(question: KnownQuestion, caller: Annotated[Caller, Depends(read)]) -> Response:
        known = await indexing.known_directories(store, caller.organization_id, question.store_id, question.tree_ids)
        return json_response({"known": known})

    @routes.post("/arrived")
    async def arrived_pages(asked: ArrivedQuestion, caller: Annotated[Caller, Depends(read)]) -> Response:
        arrived = await indexing.arrived_pages(
            store, caller.organization_id, asked.store_id, asked.tree_id, pages=asked.pages, first=asked.first
        )
        return json_response({"arrived": arrived})

    return routes
