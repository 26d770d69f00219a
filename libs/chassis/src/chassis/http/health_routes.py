"""Routes for probes: whether a process runs, and whether it can do its work."""

from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from chassis.http.problem_responses import HINTS
from chassis.runtime.health import Check, Readiness


def install_health(app: FastAPI, checks: Mapping[str, Check], *, public: bool = False) -> None:
    """`/health/live` answers while the process runs; `/health/ready` when every check passes, else 503 and why.

    In public only the names of the failed checks are shown. Both answer within 2 s.
    """
    app.state.readiness, app.state.tells_reasons = Readiness(checks), not public

    @app.api_route("/health/live", methods=["GET", "HEAD"], include_in_schema=False)
    async def live() -> dict[str, str]:
        return {"status": "ok"}

    @app.api_route("/health/ready", methods=["GET", "HEAD"], include_in_schema=False)
    async def ready(request: Request) -> JSONResponse:
        return await readiness_of(request)


async def readiness_of(request: Request) -> JSONResponse:
    """200 when all checks of an application pass but for advisory ones, else 503; with those that failed, and why."""
    readiness: Readiness = request.app.state.readiness
    failed = await readiness.reported()
    ready = all(map(readiness.is_advisory, failed))
    if not request.app.state.tells_reasons:
        failed = dict.fromkeys(failed, "not ready")
    status = 200 if ready else 503
    body = {"status": "ok" if ready else "failed", "failed": failed}
    return JSONResponse(body, status, headers=HINTS.get(status))
