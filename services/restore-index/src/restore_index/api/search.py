"""Searches for files."""

from typing import Annotated

from chassis.http.byte_parameters import bytes_parameter, bytes_parameters
from chassis.http.server import caller_reader
from chassis.http.tokens import Caller, Tokens
from contracts.queries.restore_index import MOST_FILE_ROWS, Conditions
from contracts.values import AppId, SnapshotId
from fastapi import APIRouter, Depends, Query, Request, Response

from restore_index.api.answers import json_response, read_path
from restore_index.domain.search.conditions import read_conditions
from restore_index.store import Store
from restore_index.usecases import search
from restore_index.usecases.search import Question


def read_question(request: Request, asked: Annotated[Conditions, Query()]) -> Question:
    """What is asked for. Names are bytes: `q`, `glob`, `ext` and `path` are read as such."""
    query = request.scope["query_string"]
    conditions = read_conditions(
        q=bytes_parameter(query, "q"),
        glob=bytes_parameter(query, "glob"),
        ext=bytes_parameters(query, "ext"),
        types=tuple(asked.type or ()),
        min_size=asked.min_size,
        max_size=asked.max_size,
        modified_after=asked.modified_after,
        modified_before=asked.modified_before,
    )
    return Question(conditions, read_path(query), min(asked.limit, MOST_FILE_ROWS), asked.cursor or None)


Asked = Annotated[Question, Depends(read_question)]


def point_search_router(store: Store, tokens: Tokens) -> APIRouter:
    """Searching in one restore point."""
    routes, read = APIRouter(), caller_reader(tokens)

    @routes.get("/{snapshot_id}/search")
    async def search_point(
        snapshot_id: SnapshotId, caller: Annotated[Caller, Depends(read)], question: Asked
    ) -> Response:
        hits = await search.search_point(store, caller.organization_id, snapshot_id, question)
        return json_response(hits._asdict())

    return routes


def search_router(store: Store, tokens: Tokens) -> APIRouter:
    """Searching across restore points."""
    routes, read = APIRouter(), caller_reader(tokens)

    @routes.get("")
    async def search_points(
        caller: Annotated[Caller, Depends(read)],
        question: Asked,
        store_id: AppId | None = None,
        source_id: AppId | None = None,
    ) -> Response:
        org = caller.organization_id
        hits = await search.search_points(store, org, question, store_id=store_id, source_id=source_id)
        return json_response(hits._asdict())

    return routes
