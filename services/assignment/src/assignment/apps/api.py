"""The internal HTTP API: what other processes read."""

from collections.abc import Mapping
from typing import Annotated

from chassis.http.server import build_internal_api, caller_reader
from chassis.http.tokens import Caller, Tokens
from chassis.runtime.health import Check
from contracts.messages.assignment import AppKind
from contracts.messages.connector.offers import Integration
from contracts.queries.assignment import Choice, ChoiceQuestion, ReachableApp
from contracts.queries.base import Listing
from contracts.queries.wizard import (
    CompatibilityQuestion,
    CompatibleIntegrations,
    Draft,
    DraftQuestion,
    Form,
    FormQuestion,
)
from contracts.values import AppId, InventoryId, ResourceId
from fastapi import APIRouter, Depends, FastAPI

from assignment.apps import wizard
from assignment.apps.store import AssignmentStore
from assignment.apps.usecases import offers, reads


def build_api(store: AssignmentStore, tokens: Tokens, *, checks: Mapping[str, Check]) -> FastAPI:
    """The internal HTTP API of the assignment service. Ready once an integration is known, as nothing fits before."""

    async def integrations() -> None:
        await offers.known_integrations(store)

    app = build_internal_api("Cairn assignment", checks={**checks, "integrations": integrations})
    app.include_router(_integrations(store, tokens), prefix="/internal")
    app.include_router(_apps(store, tokens), prefix="/internal/apps")
    app.include_router(_wizard(store, tokens), prefix="/internal/wizard")
    return app


def _integrations(store: AssignmentStore, tokens: Tokens) -> APIRouter:
    routes, read = APIRouter(), caller_reader(tokens)

    @routes.get("/integrations", dependencies=[Depends(read)])
    async def listing() -> Listing[Integration]:
        found = await offers.list_integrations(store)
        return Listing(items=tuple(found))

    @routes.post("/choice")
    async def choice(caller: Annotated[Caller, Depends(read)], request: ChoiceQuestion) -> Choice:
        chosen = await offers.choose(
            store,
            caller.organization_id,
            request.resource,
            kind=request.kind,
            integration_id=request.integration_id,
            protocol=request.protocol,
            in_use=request.in_use,
            is_kept=request.is_kept,
        )
        return Choice(
            integration_id=chosen.integration.id,
            protocol=chosen.protocol.name,
            clear_fields=frozenset(chosen.properties.keys() - set(chosen.secret_fields(()))),
        )

    return routes


def _apps(store: AssignmentStore, tokens: Tokens) -> APIRouter:
    routes, read = APIRouter(), caller_reader(tokens)

    @routes.get("")
    async def listing(
        caller: Annotated[Caller, Depends(read)],
        kind: AppKind | None = None,
        resource_id: ResourceId | None = None,
        inventory_id: InventoryId | None = None,
    ) -> Listing[ReachableApp]:
        found = await reads.list_reachable_apps(
            store, caller.organization_id, kind, resource_id=resource_id, inventory_id=inventory_id
        )
        return Listing(items=tuple(found))

    @routes.get("/{app_id}")
    async def one(caller: Annotated[Caller, Depends(read)], app_id: str) -> ReachableApp:
        return await reads.get_reachable_app(store, caller.organization_id, AppId(app_id))

    return routes


def _wizard(store: AssignmentStore, tokens: Tokens) -> APIRouter:
    routes, read = APIRouter(), caller_reader(tokens)

    @routes.post("/integrations")
    async def integrations(
        caller: Annotated[Caller, Depends(read)], question: CompatibilityQuestion
    ) -> CompatibleIntegrations:
        return await wizard.compatible(store, caller.organization_id, question)

    @routes.post("/form")
    async def form(caller: Annotated[Caller, Depends(read)], question: FormQuestion) -> Form:
        return await wizard.form_for(store, caller.organization_id, question)

    @routes.post("/draft")
    async def draft(caller: Annotated[Caller, Depends(read)], question: DraftQuestion) -> Draft:
        return await wizard.draft(store, caller.organization_id, question)

    return routes
