"""The door for reads of other processes."""

from collections.abc import Mapping
from typing import Annotated, Any

from chassis.http.server import build_internal_api, caller_reader
from chassis.http.tokens import Caller, Tokens
from chassis.runtime.health import Check
from contracts.errors import TemporaryError
from contracts.messages.assignment import AppKind
from contracts.messages.catalog import Resource
from contracts.values import AppId, IntegrationId
from fastapi import APIRouter, Depends, FastAPI
from pydantic import BaseModel, Field

from assignment.apps import usecases
from assignment.apps.store import AssignmentStore


class ChoiceRequest(BaseModel):
    """What an app would be made of."""

    kind: AppKind
    resource: Resource
    integration_id: IntegrationId | None = None
    protocol: str | None = None
    fields: tuple[str, ...] = Field(default=(), description="Names of the fields the client sent")


class ChoiceAnswer(BaseModel):
    """What it would get. Whatever is not among `clear_fields` must be sealed before it travels."""

    integration_id: IntegrationId
    protocol: str
    secret_fields: tuple[str, ...] = Field(description="The protocol's, and of the asked ones those nobody knows")
    clear_fields: tuple[str, ...] = Field(description="The protocol's fields that hold no secret")


def build_api(store: AssignmentStore, tokens: Tokens, *, checks: Mapping[str, Check]) -> FastAPI:
    """The internal HTTP API of the assignment service. Ready once an integration is known, as nothing fits before."""

    async def integrations() -> None:
        if not await store.integrations():
            raise TemporaryError("integrations_unknown", "No worker has told yet which integrations there are.")

    app = build_internal_api("Cairn assignment", checks={**checks, "integrations": integrations})
    app.include_router(_integrations(store, tokens), prefix="/internal")
    app.include_router(_apps(store, tokens), prefix="/internal/apps")
    return app


def _integrations(store: AssignmentStore, tokens: Tokens) -> APIRouter:
    routes, read = APIRouter(), caller_reader(tokens)

    @routes.get("/integrations", dependencies=[Depends(read)])
    async def listing() -> Any:
        found = await usecases.list_integrations(store)
        return {"items": [one.model_dump(mode="json", by_alias=True) for one in found]}

    @routes.post("/choice", dependencies=[Depends(read)])
    async def choice(request: ChoiceRequest) -> ChoiceAnswer:
        chosen = await usecases.choose(
            store, request.resource, kind=request.kind, integration_id=request.integration_id, protocol=request.protocol
        )
        secret = chosen.secret_fields(request.fields)
        return ChoiceAnswer(
            integration_id=chosen.integration.id,
            protocol=chosen.protocol.name,
            secret_fields=secret,
            clear_fields=tuple(sorted(chosen.properties.keys() - set(secret))),
        )

    return routes


def _apps(store: AssignmentStore, tokens: Tokens) -> APIRouter:
    routes, read = APIRouter(), caller_reader(tokens)

    @routes.get("")
    async def listing(caller: Annotated[Caller, Depends(read)], kind: AppKind | None = None) -> Any:
        found = await usecases.find_pools(store, await usecases.list_apps(store, caller.organization_id, kind))
        return {"items": [one.model_dump(mode="json", by_alias=True) for one in found]}

    @routes.get("/{app_id}")
    async def one(caller: Annotated[Caller, Depends(read)], app_id: str) -> Any:
        app = await usecases.get_app(store, caller.organization_id, AppId(app_id))
        [reachable] = await usecases.find_pools(store, [app])
        return reachable.model_dump(mode="json", by_alias=True)

    return routes
