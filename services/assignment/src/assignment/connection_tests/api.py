"""The internal HTTP API of connection tests."""

from typing import Annotated

from chassis.http.server import caller_reader
from chassis.http.tokens import Caller, Tokens
from contracts.queries.base import Listing
from contracts.queries.connection_tests import KeptTest
from contracts.values import AppId
from fastapi import APIRouter, Depends

from assignment.connection_tests import usecases
from assignment.connection_tests.store import ConnectionTestStore


def build_routes(store: ConnectionTestStore, tokens: Tokens) -> APIRouter:
    """The reads of this area."""
    routes, read = APIRouter(prefix="/internal/connection-tests"), caller_reader(tokens)

    @routes.get("/{app_id}")
    async def listing(caller: Annotated[Caller, Depends(read)], app_id: str) -> Listing[KeptTest]:
        return Listing(items=tuple(await usecases.list_tests(store, caller.organization_id, AppId(app_id))))

    return routes
