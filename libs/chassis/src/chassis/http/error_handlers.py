"""Turns an error that left a route into the problem that the client gets."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from contracts.errors import CairnError, Invalid, Throttled
from contracts.messages.outcomes import Problem
from contracts.wording import listed
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from chassis.errors import Unavailable
from chassis.http.problem_responses import problem_response
from chassis.http.problems import to_problem, unexpected
from chassis.http.validation_words import in_words
from chassis.persistence.mongo import PyMongoError

_CODES = {400: "request_invalid", 404: "route_not_found", 405: "method_not_allowed", 413: "body_too_large"}
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
Translate: TypeAlias = Callable[[Any], CairnError]
Translations: TypeAlias = Mapping[type[Exception], Translate]
NO_TRANSLATIONS: Translations = {}


def install_problems(app: FastAPI, translated: Translations = NO_TRANSLATIONS) -> None:
    """Answer every error with a problem. An unexpected one is shown without details, which are in the log.

    Errors of the `translated` types are answered as the errors of Cairn that they amount to.
    """

    async def answer(request: Request, error: Exception) -> JSONResponse:
        return _answer(request, _ours(error, translated))

    for kind in (*translated, CairnError, RequestValidationError, HTTPException, PyMongoError, Exception):
        app.add_exception_handler(kind, answer)


def _ours(error: Exception, translated: Translations) -> Exception:
    foreign = next((kind for kind in translated if isinstance(error, kind)), None)
    if foreign is not None:
        return translated[foreign](error)
    if isinstance(error, RequestValidationError):
        return _validation_problem(error)
    if isinstance(error, PyMongoError):
        return Unavailable("database_unavailable", "The database does not answer.")
    return error


def _answer(request: Request, error: Exception) -> JSONResponse:
    path = request.url.path
    if isinstance(error, HTTPException):
        if error.status_code == 405:
            # A route whose more general path fits too is another resource.
            return method_not_allowed(path, methods_by_path(request.app)[request.scope["route"].path])
        problem = Problem(code=_CODES.get(error.status_code, "http_error"), detail=str(error.detail))
        return problem_response(problem, instance=path, status=error.status_code)
    response = problem_response(to_problem(error) if isinstance(error, CairnError) else unexpected(), instance=path)
    if isinstance(error, Throttled):
        # Whole seconds: that is all the header can say.
        response.headers["Retry-After"] = str(math.ceil(error.retry_after_seconds))
    return response


def _validation_problem(error: RequestValidationError) -> CairnError:
    fields = {".".join(str(p) for p in e["loc"][1:]) or str(e["loc"][0]): in_words(e) for e in error.errors()}
    if any(e["type"] == "json_invalid" for e in error.errors()):
        return Invalid("json_invalid", "The request body is not valid JSON.")
    return Invalid("request_invalid", "The request does not have the form it should: " + _listed(fields), fields=fields)


def _listed(fields: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {detail}" for name, detail in fields.items())


def methods_by_path(app: FastAPI) -> dict[str, str]:
    """The methods of all routes with a path, as `Allow` tells them; the framework tells only those of one route."""
    found: dict[str, set[str]] = {}
    for route in _flat(app.router.routes):
        found.setdefault(getattr(route, "path", ""), set()).update(getattr(route, "methods", None) or ())
    return {path: ", ".join(method for method in _METHODS if method in methods) for path, methods in found.items()}


def _flat(routes: Iterable[Any]) -> Iterator[Any]:
    for route in routes:
        included = getattr(route, "original_router", None)
        yield from _flat(included.routes) if included else (route,)


def method_not_allowed(path: str, allowed: str) -> JSONResponse:
    """What is answered where other methods than that of the request are."""
    methods = listed(allowed.split(", "))
    problem = Problem(code=_CODES[405], detail=f"This address takes {methods} only.")
    response = problem_response(problem, instance=path, status=405)
    response.headers["Allow"] = allowed
    return response
