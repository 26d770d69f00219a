"""The OpenAPI document: what FastAPI derives from the routes, and what it cannot know."""

import re
from collections.abc import Iterator
from typing import Any

from chassis.http.problem_responses import PROBLEM_JSON, TITLES
from chassis.texts import STORABLE
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gateway.http.answers import OperationView, PageView, ProblemView, View
from gateway.http.body_fields import Body

Json = dict[str, Any]
VERSION = "1.0.0"
PUBLIC: Json = {"security": []}
"""`openapi_extra` of routes that need no badge."""
BY_LINK: Json = {"security": [{"badge": []}, {"link": []}]}
"""`openapi_extra` of routes that a signed link opens as well as a badge."""
DESCRIPTION = """\
The public HTTP API of Cairn. Log in (`POST /api/v1/auth/login/apikey`), then send the badge that you get as
`Authorization: Bearer <badge>`. A badge belongs to one account and one organization and expires; a 401 means: log in
again. Every other failure is a problem object (RFC 9457) with a stable `code` and a `detail` for people.

Writes wait for their outcome. What takes longer is answered with 202 and an operation to poll. A write that carries an
`Idempotency-Key` can be repeated safely with the same key and body.
"""
TAGS = {
    "auth": "Logging in",
    "organizations": "Accounts and organizations",
    "inventories": "Inventories",
    "resources": "Resources",
    "integrations": "Integrations",
    "connectors": "Connectors: sources, stores, destinations",
    "bundles": "Bundles: values for the fields of many connectors",
    "snapshots": "Restore points and the files in them",
    "audit": "The audit log",
    "scheduling": "Runs and jobs",
    "operations": "Operations that took longer",
    "stream": "What happens, as it happens",
    "health": "Health",
}
_WORDS = {
    400: ("The request cannot be right; `fields` names the fields at fault.", "request_invalid"),
    401: ("The badge is missing, expired or unknown: log in again.", "token_invalid"),
    403: ("None of the caller's roles permits this.", "forbidden"),
    404: ("What the path names is not there, or belongs to somebody else.", "resource_not_found"),
    409: ("The request does not fit the present state.", "resource_locked"),
    412: ("What is there is not what `If-Match`, or of a file `If-Unmodified-Since`, asks for.", "precondition_failed"),
    408: ("The rest of the request did not come in time.", "request_timeout"),
    413: ("The request body is too large.", "body_too_large"),
    414: ("The address of the request is too long.", "address_too_long"),
    416: ("The range lies outside the file; `Content-Range` has its size.", "range_not_satisfiable"),
    422: ("The request was understood and could not be carried out.", "idempotency_key_reused"),
    429: ("Too much was tried at once; try again after `Retry-After`.", "too_many_attempts"),
    431: ("The headers of the request are too large.", "headers_too_large"),
    500: ("Something nobody foresaw went wrong; the log of the process that failed has more.", "internal_error"),
    503: ("A part of Cairn does not answer; try again.", "service_unavailable"),
}
_OF_ANY = (400, 408, 414, 431, 500, 503)
"""What any request may be answered with, by the server if not by the route."""
_HEADERS: dict[int, tuple[str, ...]] = {
    401: ("WWW-Authenticate",),
    412: ("ETag", "Accept-Ranges"),
    416: ("Content-Range", "ETag", "Accept-Ranges"),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
_HEADER_WORDS = {
    "Accept-Ranges": "`bytes`",
    "Cairn-Log-Complete": "`true`: the job is over and nothing follows in its log; with `offset` only",
    "Cairn-Next-Offset": "The `offset` to go on with; with `offset` only",
    "Content-Disposition": "`attachment`, with the name of the file",
    "Content-Range": "Which bytes these are and how many there are; of a 416: `bytes */<size>`",
    "ETag": "Of a file strong: equal tags, equal bytes; of a connector or a bundle its revision",
    "Last-Modified": "When the file was last changed on its source",
    "Location": "Where to poll the operation",
    "Retry-After": "Seconds",
    "WWW-Authenticate": "`Bearer`",
}
_PATHS = {
    "org": "Id of the badge's organization, or of one below it",
    "grant": "Id of a grant",
    "inv": "Id of an inventory",
    "urn_id": "Handle of a resource",
    "connector": "Id of a connector",
    "bundle": "Id of a bundle",
    "integration": "Id of an integration",
    "name": "Name of an integration",
    "store_id": "Id of a store",
    "source_id": "Id of a source",
    "snapshot_id": "Id of a restore point: 64 hex digits",
    "other_id": "Id of the restore point to compare it with",
    "at_id": "Id of a run",
    "job_id": "Id of a job",
    "operation_id": "Id of an operation",
}


def problems(*statuses: int) -> dict[int | str, Json]:
    """`responses` of a route: the problems it may answer with beyond those of every route."""
    return {status: _problem(status) for status in statuses}


def writes(*statuses: int) -> dict[int | str, Json]:
    """`responses` of a route that carries out a command."""
    words = "It takes longer: poll the operation at `Location`."
    later: Json = {"description": words, "model": OperationView, "headers": headers("Location")}
    return {202: later, **problems(*statuses, 413, 422)}


def _problem(status: int) -> Json:
    words, code = _WORDS[status]
    shown = {
        "type": f"urn:cairn:problem:{code}",
        "title": TITLES[status],
        "status": status,
        "detail": words,
        "instance": "/api/v1/...",
        "code": code,
    }
    schema = {"$ref": "#/components/schemas/ProblemView"}
    response: Json = {"description": words, "content": {PROBLEM_JSON: {"schema": schema, "example": shown}}}
    return response | ({"headers": headers(*_HEADERS[status])} if status in _HEADERS else {})


def headers(*names: str) -> Json:
    """`headers` of a response."""
    return {name: {"description": _HEADER_WORDS[name], "schema": {"type": "string"}} for name in names}


def _reference(status: int) -> Json:
    return {"$ref": f"#/components/responses/Problem{status}"}


def describe(app: FastAPI) -> Json:
    """The complete OpenAPI document of the gateway."""
    document = get_openapi(
        title="Cairn HTTP API",
        version=VERSION,
        summary="A self-hosted control plane for backups",
        description=DESCRIPTION,
        routes=app.routes,
        tags=[{"name": name, "description": words} for name, words in TAGS.items()],
    )
    schemas: Json = document["components"]["schemas"]
    # FastAPI's own form of a 422; ours is a problem like any other.
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas.update(_problem_schemas())
    _restore_nulls(schemas)
    _fill_pages(schemas)
    document["components"]["securitySchemes"] = {
        "badge": {"type": "http", "scheme": "bearer", "description": "A badge from one of the login routes"},
        "link": {"type": "apiKey", "in": "query", "name": "link", "description": "A signed link to one download"},
    }
    document["components"]["responses"] = {f"Problem{status}": _problem(status) for status in _WORDS}
    document["security"] = [{"badge": []}]
    for operation in _operations(document):
        _complete(operation)
        _headers_are_text(operation)
    _forbid_nul(document)
    return document


def _forbid_nul(document: Json) -> None:
    """Say of all texts that come in, and of names of theirs, that they hold no NUL: no database keeps one."""
    schemas: Json = document["components"]["schemas"]
    bodies = [operation.get("requestBody", {}) for operation in _operations(document)]
    parameters = [p for operation in _operations(document) for p in operation.get("parameters", ())]
    # A NUL in a header or a path is refused before any route, so only the query and the body are described.
    queries = [parameter["schema"] for parameter in parameters if parameter["in"] == "query"]
    incoming = [*queries, *(schemas[name] for name in _reached_from(schemas, [*queries, *bodies]))]
    # All are found before the first is changed: what is added are rules, not schemas of texts that come in.
    for part in list(_objects_in(incoming)):
        _forbid_nul_in(part)


def _reached_from(schemas: Json, parts: object) -> set[str]:
    """Names of the schemas that some parts refer to, and of all that those refer to in turn."""
    reached: set[str] = set()
    found = _schemas_in(parts)
    while found:
        reached |= found
        found = _schemas_in([schemas[name] for name in found]) - reached
    return reached


def _objects_in(part: object) -> Iterator[Json]:
    """A part of a schema and all parts of it."""
    if isinstance(part, list):
        for each in part:
            yield from _objects_in(each)
    elif isinstance(part, dict):
        yield part
        # These hold values, and values are no schemas, whatever their keys are called.
        for value in (value for name, value in part.items() if name not in ("examples", "example", "default")):
            yield from _objects_in(value)


def _schemas_in(part: object) -> set[str]:
    """Names of the schemas that a part of the document refers to."""
    return set(re.findall(r"#/components/schemas/([\w.-]+)", str(part)))


def _forbid_nul_in(part: Json) -> None:
    if part.get("type") == "string" and part.keys().isdisjoint(("pattern", "enum", "const", "format")):
        part["pattern"] = STORABLE
    if "additionalProperties" in part:
        part.setdefault("propertyNames", {"pattern": STORABLE})


def _problem_schemas() -> Json:
    schema = ProblemView.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs", {}), "ProblemView": schema}


def _restore_nulls(schemas: Json) -> None:
    """FastAPI leaves null out of examples, where it tells a client what to expect."""
    models = [*View.__subclasses__(), *Body.__subclasses__()]
    while models:
        model = models.pop()
        models.extend(model.__subclasses__())
        extra = model.model_config.get("json_schema_extra")
        if model.__name__ in schemas and isinstance(extra, dict):
            schemas[model.__name__].update(extra)


def _fill_pages(schemas: Json) -> None:
    """A page's example is one row, which is its own example."""
    for page in (s for name, s in schemas.items() if name.startswith(PageView.__name__)):
        row = schemas[page["properties"]["items"]["items"]["$ref"].rsplit("/", 1)[1]]
        page["examples"] = [{"total": 1, "items": row["examples"][:1]}]


def _headers_are_text(operation: Json) -> None:
    """A header that is left out is not there: `null` would be sent as that word, and read as such."""
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "header" and (choices := parameter["schema"].pop("anyOf", None)):
            [text] = [choice for choice in choices if choice != {"type": "null"}]
            parameter["schema"] = text | parameter["schema"]


def _operations(document: Json) -> Iterator[Json]:
    for methods in document["paths"].values():
        yield from methods.values()


def _complete(operation: Json) -> None:
    responses: Json = operation["responses"]
    for parameter in operation.get("parameters", []):
        parameter.setdefault("description", _PATHS.get(parameter["name"], ""))
    for status, response in list(responses.items()):
        if response["description"] == "Successful Response":
            response["description"] = operation["summary"]
        if PROBLEM_JSON in response.get("content", {}):
            responses[status] = _reference(int(status))
    if events := responses.get("200", {}).get("content", {}).get("text/event-stream"):
        # The model is that of one event's data; the body is text all the same.
        data = events["schema"]["$ref"]
        events["schema"] = {"type": "string", "contentMediaType": "text/event-stream", "contentSchema": {"$ref": data}}
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
    public = operation.get("security") == []
    common = [*_OF_ANY, *([] if public else [401, 403])]
    if operation.get("requestBody"):
        common.append(413)
    for expected in common:
        responses.setdefault(str(expected), _reference(expected))
    # In a fixed order, so that the stored document differs only where the API does.
    operation["responses"] = dict(sorted(responses.items()))
