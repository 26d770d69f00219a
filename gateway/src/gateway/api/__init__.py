"""The public door: HTTP API v1."""

from functools import cache

import orjson
from chassis.http.server import UNTRACED, install_health, install_problems
from chassis.runtime.health import Check
from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute

from gateway.api import (
    audit,
    auth,
    connectors,
    downloads,
    files,
    history,
    integrations,
    inventories,
    operations,
    organizations,
    resources,
    scheduling,
    search,
    snapshots,
)
from gateway.api.docs_page import POLICY, render
from gateway.api.documents import VERSION, describe
from gateway.api.gate import Gate
from gateway.api.health import health_router
from gateway.api.layers import Door
from gateway.api.named_paths import NamedPaths

DOCS = "/api/v1/docs"
_AREAS = (
    auth,
    organizations,
    resources,
    inventories,
    integrations,
    connectors,
    snapshots,
    files,
    search,
    downloads,
    audit,
    history,
    scheduling,
    operations,
)
"""Resources before inventories: `/inventories/resources` is no inventory."""


def build_api(gate: Gate | None, checks: dict[str, Check], *, max_body_bytes: int) -> FastAPI:
    """The application. Without a gate it serves nothing but its own description."""
    app = FastAPI(
        title="Cairn HTTP API",
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_name_of,
        telemetry=UNTRACED,
    )
    app.state.gate = gate
    app.add_middleware(NamedPaths)
    app.add_middleware(Door, max_body_bytes=max_body_bytes)
    install_problems(app)
    install_health(app, checks, public=True)
    operations.install_operations(app)
    for area in _AREAS:
        app.include_router(area.router)
    app.include_router(health_router())
    _add_documentation(app)
    return app


def _name_of(route: APIRoute) -> str:
    return route.name


def _add_documentation(app: FastAPI) -> None:
    @cache
    def as_json() -> bytes:
        return orjson.dumps(describe(app))

    @cache
    def as_html() -> str:
        return render(orjson.loads(as_json()))

    @app.get("/api/v1/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        return Response(as_json(), media_type="application/json")

    @app.get(DOCS, include_in_schema=False)
    async def documentation() -> HTMLResponse:
        return HTMLResponse(as_html(), headers={"Content-Security-Policy": POLICY})

    @app.get("/", include_in_schema=False)
    async def root() -> RedirectResponse:
        return RedirectResponse(DOCS)
