"""The internal HTTP API of what is kept sealed."""

from typing import Annotated

from chassis.http.server import caller_reader
from chassis.http.tokens import Caller, Tokens
from contracts.queries.sealing import SealedOwners, SealedQuestion
from fastapi import APIRouter, Depends

from assignment.apps.store import AssignmentStore
from assignment.bundles.store import BundleStore
from assignment.sealing import usecases


def build_routes(apps: AssignmentStore, bundles: BundleStore, tokens: Tokens) -> APIRouter:
    """The reads of this area."""
    routes, read = APIRouter(prefix="/internal/sealing"), caller_reader(tokens)

    # By POST, as a key that is named in an address would be written into logs; nothing changes by it.
    @routes.post("")
    async def sealed(caller: Annotated[Caller, Depends(read)], question: SealedQuestion) -> SealedOwners:
        return await usecases.list_sealed(apps, bundles, caller.organization_id, question)

    return routes
