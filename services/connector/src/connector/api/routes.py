"""Routes of the connector."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated

from chassis.http.server import build_internal_api, caller_reader
from chassis.http.tokens import Caller, Tokens
from chassis.persistence.key_holders import KeyHolders
from chassis.runtime.health import Check
from contracts.messages.connector.stores import StoreLock
from contracts.queries.base import Listing
from contracts.queries.connector import ArchiveQuestion, Selection, SelectionQuestion
from contracts.values import OrganizationId
from fastapi import Depends, FastAPI, Request
from restic_reader.errors import ReaderError
from starlette.responses import Response

from connector.api import sealing
from connector.api.archives import respond
from connector.api.files import FileResponder, path_of
from connector.downloads.archives.archive import is_one_file, open_archive
from connector.downloads.content import open_content
from connector.failures import as_cairn_error
from connector.store.ports import Store
from connector.stores.open_stores import OpenStores

_SNAPSHOT = "/internal/stores/{store_id}/snapshots/{snapshot_id}"
CONTENT = f"{_SNAPSHOT}/content"
LOCKS = "/internal/stores/{store_id}/locks"
LocksOf = Callable[[OrganizationId, str], Awaitable[list[StoreLock]]]


def build_api(
    store: Store,
    stores: OpenStores,
    tokens: Tokens,
    *,
    locks: LocksOf,
    holders: KeyHolders,
    checks: Mapping[str, Check],
) -> FastAPI:
    """The internal HTTP API of the connector."""
    app = build_internal_api("Cairn connector", checks=checks, translated={ReaderError: as_cairn_error})
    Asking = Annotated[Caller, Depends(caller_reader(tokens))]

    async def content(caller: Asking, store_id: str, snapshot_id: str, request: Request) -> Response:
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

    async def archive(caller: Asking, store_id: str, snapshot_id: str, body: ArchiveQuestion) -> Response:
        """Files and directories of a restore point in one archive."""
        place = {"store_id": store_id, "snapshot_id": snapshot_id}
        opened = await open_archive(store, stores, caller.organization_id, **place, paths=body.asked, form=body.format)
        return respond(opened, stores)

    async def selection(caller: Asking, store_id: str, snapshot_id: str, body: SelectionQuestion) -> Selection:
        """Whether all paths lead somewhere, and whether they mean one file."""
        place = {"store_id": store_id, "snapshot_id": snapshot_id}
        return Selection(one_file=await is_one_file(store, stores, caller.organization_id, **place, paths=body.asked))

    async def locks_of_store(caller: Asking, store_id: str) -> Listing[StoreLock]:
        """Who holds a store."""
        return Listing(items=tuple(await locks(caller.organization_id, store_id)))

    app.include_router(sealing.build_routes(store, holders, tokens))
    app.add_api_route(LOCKS, locks_of_store, methods=["GET"])
    app.add_api_route(CONTENT, content, methods=["GET", "HEAD"])
    app.add_api_route(f"{_SNAPSHOT}/archive", archive, methods=["POST"])
    app.add_api_route(f"{_SNAPSHOT}/selection", selection, methods=["POST"])
    return app
