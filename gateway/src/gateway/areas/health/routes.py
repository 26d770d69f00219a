"""Whether the gateway can take requests, also under the path where clients of the API look for it."""

from chassis.http.health_routes import readiness_of
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from gateway.http.answers import View
from gateway.http.examples import example
from gateway.http.openapi import PUBLIC


class ReadyView(View):
    """Readiness. `failed` names the parts that are not ready."""

    model_config = example(status="ok", failed={})

    status: str
    failed: dict[str, str]


def health_router() -> APIRouter:
    """`GET /api/v1/health/ready`, which needs no badge."""
    router = APIRouter(prefix="/api/v1", tags=["health"])

    @router.get(
        "/health/ready",
        summary="Whether requests can be taken",
        # Whoever waits for the gateway to start has no badge yet.
        openapi_extra=PUBLIC,
        response_model=ReadyView,
        responses={503: {"description": "Not ready; `failed` names what is missing.", "model": ReadyView}},
    )
    async def read_readiness(request: Request) -> JSONResponse:
        """Also at `/health/ready`. Ready when the database and all services answer."""
        return await readiness_of(request)

    router.head("/health/ready", include_in_schema=False)(read_readiness)
    return router
