"""Routes of the connector."""

from collections.abc import Mapping
from typing import Annotated

from chassis.tokens import Caller, Tokens
from chassis.web import Check, build_internal_api, caller_reader
from fastapi import Depends, FastAPI, Request
from starlette.responses import Response

from connector.api.files import FileResponder, path_of
from connector.store import Store
from connector.usecases.content import open_content
from connector.usecases.stores import OpenStores

CONTENT = "/internal/stores/{store_id}/snapshots/{snapshot_id}/content"


def build_api(store: Store, stores: OpenStores, tokens: Tokens, *, checks: Mapping[str, Check]) -> FastAPI:
    """The internal HTTP API of the connector."""
    app = build_internal_api("Cairn connector", checks=checks)
    read = caller_reader(tokens)

    async def content(
        caller: Annotated[Caller, Depends(read)], store_id: str, snapshot_id: str, request: Request
    ) -> Response:
        """One file of a restore point, whole or in part."""
        responder = FileResponder(request)
        opened = await open_content(
            store,
            stores,
            caller.organization_id,
            store_id=store_id,
            snapshot_id=snapshot_id,
            path=path_of(request),
            choose=responder.choose,
        )
        return await responder.respond(opened, stores)

    app.add_api_route(CONTENT, content, methods=["GET", "HEAD"])
    return app
