"""The public HTTP API v1: the routers of all areas in one application."""

from functools import cache

import orjson
from chassis.http.error_handlers import install_problems
from chassis.http.health_routes import install_health
from chassis.http.problem_responses import problem_response
from chassis.http.server import UNTRACED
from chassis.runtime.health import Check
from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute

from gateway.areas.audit.routes import router as audit
from gateway.areas.auth.routes import router as auth
from gateway.areas.bundles.routes import router as bundles
from gateway.areas.classification.routes import router as classification
from gateway.areas.connectors.routes import router as connectors
from gateway.areas.downloads.routes import router as downloads
from gateway.areas.files.routes import router as files
from gateway.areas.health.routes import health_router
from gateway.areas.history.routes import router as history
from gateway.areas.imports.routes import router as imports
from gateway.areas.integrations.routes import router as integrations
from gateway.areas.inventories.routes import router as inventories
from gateway.areas.links.routes import router as links
from gateway.areas.operations.accepted import install_operations
from gateway.areas.operations.routes import router as operations
from gateway.areas.organizations.routes import router as organizations
from gateway.areas.overviews.routes import router as overviews
from gateway.areas.protection.routes import router as protection
from gateway.areas.protection.routes import settings_router as retention
from gateway.areas.resources.routes import router as resources
from gateway.areas.scheduling.routes import router as scheduling
from gateway.areas.search.routes import router as search
from gateway.areas.snapshots.routes import router as snapshots
from gateway.areas.stream.routes import router as stream
from gateway.areas.wizard.routes import router as wizard
from gateway.http.dependencies import Services
from gateway.http.docs_page import PATH as DOCS
from gateway.http.docs_page import install_docs_page
from gateway.http.middleware import RequestMiddleware, no_route
from gateway.http.openapi import VERSION, describe
from gateway.http.path_precedence import PathPrecedence

# Resources come before inventories: the first route that fits wins, and `/inventories/resources` is no inventory;
# imports before both, as `.../resources/bulk` is no resource.
_ROUTERS = (
    auth,
    organizations,
    classification,
    retention,
    imports,
    resources,
    inventories,
    integrations,
    wizard,
    connectors,
    bundles,
    overviews,
    protection,
    snapshots,
    files,
    search,
    downloads,
    links,
    audit,
    history,
    scheduling,
    operations,
    stream,
)


def build_api(services: Services, checks: dict[str, Check], *, max_body_bytes: int) -> FastAPI:
    """The application. Without services it serves nothing but its own description."""
    app = FastAPI(
        title="Cairn HTTP API",
        version=VERSION,
        # FastAPI's own pages load their scripts from elsewhere; see `http/docs_page.py`.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_name_of,
        telemetry=UNTRACED,
    )
    app.state.services = services
    app.add_middleware(PathPrecedence)
    app.add_middleware(RequestMiddleware, max_body_bytes=max_body_bytes)
    install_problems(app)
    # Areas raise `NotFound`; a bare 404 comes from the framework alone, for a path that no route has.
    app.add_exception_handler(404, _no_route)
    install_health(app, checks, public=True)
    install_operations(app)
    for router in _ROUTERS:
        app.include_router(router)
    app.include_router(health_router())
    _add_documentation(app)
    return app


async def _no_route(request: Request, _: Exception) -> Response:
    return problem_response(no_route(), instance=request.url.path)


def _name_of(route: APIRoute) -> str:
    return route.name


def _add_documentation(app: FastAPI) -> None:
    @cache
    def as_json() -> bytes:
        return orjson.dumps(describe(app))

    @app.get("/api/v1/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        return Response(as_json(), media_type="application/json")

    install_docs_page(app)

    @app.get("/", include_in_schema=False)
    async def root() -> RedirectResponse:
        return RedirectResponse(DOCS)
