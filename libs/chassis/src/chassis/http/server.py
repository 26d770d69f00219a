"""The HTTP API that a service offers to other processes of Cairn, and how its routes know their caller."""

from collections.abc import Awaitable, Callable, Mapping

from contracts.errors import Unauthorized
from fastapi import FastAPI, Request
from fastapi.telemetry import TelemetryConfig

from chassis.http.error_handlers import NO_TRANSLATIONS, Translations, install_problems
from chassis.http.health_routes import install_health
from chassis.http.tokens import Caller, Tokens
from chassis.runtime.health import Check

UNTRACED: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
"""FastAPI's own telemetry stays off: `RequestMiddleware` has the server span and the duration."""


def build_internal_api(
    title: str, *, checks: Mapping[str, Check], translated: Translations = NO_TRANSLATIONS
) -> FastAPI:
    """An API for other processes of Cairn: problems and health installed, no documentation pages.

    Errors of the `translated` types are answered as the errors of Cairn that they amount to.
    """
    app = FastAPI(
        title=title, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False, telemetry=UNTRACED
    )
    install_problems(app, translated)
    install_health(app, checks)
    return app


def bearer(request: Request) -> str:
    """The bearer token of a request. Raises `Unauthorized` without one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("token_missing", "This call needs an Authorization header with a bearer token.")
    return token.strip()


def caller_reader(tokens: Tokens) -> Callable[[Request], Awaitable[Caller]]:
    """What a route depends on to know its caller: `read = caller_reader(tokens)`, `Annotated[Caller, Depends(read)]`.

    Raises `Unauthorized` when the request carries no token, or none that can be trusted.
    """

    async def caller(request: Request) -> Caller:
        return tokens.read(bearer(request))

    return caller
