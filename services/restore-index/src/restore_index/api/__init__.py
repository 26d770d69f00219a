"""The internal API that other processes read from."""

from collections.abc import Mapping

from chassis.http.server import build_internal_api
from chassis.http.tokens import Tokens
from chassis.runtime.health import Check
from fastapi import FastAPI

from restore_index.api.directories import directories_router
from restore_index.api.files import files_router
from restore_index.api.history import differences_router, versions_router
from restore_index.api.points import points_router
from restore_index.api.protection import protection_router
from restore_index.api.search import point_search_router, search_router
from restore_index.store import Store

POINTS = "/internal/restore-points"


def build_api(store: Store, tokens: Tokens, *, checks: Mapping[str, Check]) -> FastAPI:
    """The internal HTTP API of the restore index."""
    app = build_internal_api("Cairn restore index", checks=checks)
    app.include_router(points_router(store, tokens), prefix=POINTS)
    app.include_router(files_router(store, tokens), prefix=POINTS)
    app.include_router(point_search_router(store, tokens), prefix=POINTS)
    app.include_router(search_router(store, tokens), prefix="/internal/search")
    app.include_router(differences_router(store, tokens), prefix=POINTS)
    app.include_router(versions_router(store, tokens), prefix="/internal/versions")
    app.include_router(directories_router(store, tokens), prefix="/internal/directories")
    app.include_router(protection_router(store, tokens), prefix="/internal")
    return app
