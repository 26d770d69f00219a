"""What workers keep sealed, and which master keys they have."""

from typing import Annotated

from chassis.http.server import caller_reader
from chassis.http.tokens import Caller, Tokens
from chassis.kept_secrets import Holder, sealed_owners
from chassis.persistence.key_holders import KeyHolders
from contracts.queries.base import Listing
from contracts.queries.sealing import KeyHolder, SealedOwners, SealedQuestion
from fastapi import APIRouter, Depends

from connector.store.ports import Store


def build_routes(store: Store, holders: KeyHolders, tokens: Tokens) -> APIRouter:
    """The routes about sealed values."""
    routes, read = APIRouter(), caller_reader(tokens)

    # By POST, as a key that is named in an address would be written into logs; nothing changes by it.
    @routes.post("/internal/sealing")
    async def sealed(caller: Annotated[Caller, Depends(read)], question: SealedQuestion) -> SealedOwners:
        """The copies that workers have of connectors, and how many values of them are under which key."""
        known = (await store.apps.find(caller.organization_id)).items
        copies = [Holder("connector", each.app.id, each.app.fields) for each in known if each.app is not None]
        return sealed_owners(copies, question)

    @routes.get("/internal/key-holders", dependencies=[Depends(read)])
    async def key_holders() -> Listing[KeyHolder]:
        """The workers that run, of all pools."""
        return Listing(items=tuple(await holders.present()))

    return routes
