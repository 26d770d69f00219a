"""Taking files out of a restore point: one, many in an archive, and links for those without a badge."""

from dataclasses import dataclass
from typing import Annotated

from chassis.http.byte_parameters import bytes_parameter, bytes_parameters
from contracts.errors import Invalid
from contracts.paths import shown
from contracts.queries.restore_index import PATH, PATH_SCHEMA
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import JsonValue

from gateway.access.principal import Principal
from gateway.access.rights import Right
from gateway.areas.downloads.schemas import ArchiveBody
from gateway.areas.downloads.service import Downloads
from gateway.areas.links.service import Links, paths_of
from gateway.areas.links.tokens import Format, Link, invalid
from gateway.audit_log.entries import (
    DOWNLOAD_ARCHIVE,
    DOWNLOAD_FILE,
    Actor,
    AuditEntry,
    Subject,
    Via,
    selection_details,
)
from gateway.audit_log.log import AuditLog
from gateway.http.audited_download import AuditedDownload
from gateway.http.dependencies import Audit, Provided, Services, Who, principal_of, provided
from gateway.http.openapi import BY_LINK, headers, problems
from gateway.http.path_parameter import MOST_PATHS, PathText
from gateway.http.proxy import CONDITIONS, ProxyResponse

router = APIRouter(prefix="/api/v1", tags=["snapshots"])
Service = Annotated[Downloads, provided(Downloads)]
_PATH = f"{PATH}. Needed unless there is a `link`"
_LINK = "A link made by `POST /api/v1/snapshots/{snapshot_id}/links`, in place of a badge and of all else"
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_BYTES = {"content": {"*/*": _BINARY}}
_VALIDATORS = ("ETag", "Last-Modified", "Accept-Ranges")
_WHOLE = {
    "description": "The file; its type follows from its name.",
    "headers": headers(*_VALIDATORS, "Content-Disposition"),
}
_FILE: dict[int | str, dict[str, object]] = {
    200: {**_WHOLE, **_BYTES},
    206: {
        "description": "The part that `Range` asks for.",
        "headers": headers(*_VALIDATORS, "Content-Disposition", "Content-Range"),
        **_BYTES,
    },
    304: {"description": "The client has the file: nothing changed.", "headers": headers(*_VALIDATORS)},
    **problems(400, 404, 409, 412, 416, 422),
}
_HEADERS_ALONE = _FILE | {status: {k: v for k, v in _FILE[status].items() if k != "content"} for status in (200, 206)}
_ARCHIVE: dict[int | str, dict[str, object]] = {
    200: {
        "description": "The archive, sent while it is written. One that ends without its last chunk is not whole.",
        "headers": headers("Content-Disposition"),
        "content": {"application/zip": _BINARY, "application/zstd": _BINARY},
    },
    **problems(400, 404, 409, 422),
}
_CONDITIONS = {
    "Range": "One range of bytes, e.g. `bytes=0-1023`, `bytes=1024-`, `bytes=-1024`",
    "If-Range": "`ETag` or `Last-Modified` of the file that the range is of; of another file the whole is sent",
    "If-None-Match": "`ETag` of what the client has: 304 when the file is that",
    "If-Modified-Since": "`Last-Modified` of what the client has: 304 when the file is no newer",
    "If-Match": "`ETag` the file must have: else 412",
    "If-Unmodified-Since": "Time after which the file must not have been changed: else 412",
}
_ASKING = BY_LINK | {
    "parameters": [
        {"name": name, "in": "header", "description": words, "schema": {"type": "string"}}
        for name, words in _CONDITIONS.items()
    ]
}


@dataclass(frozen=True)
class Permit:
    """Who may download: by a badge whatever the request asks for, by a link what the link is for."""

    who: Principal
    link: Link | None = None

    @property
    def via(self) -> Via:
        """How the caller came in."""
        return "link" if self.link else "badge"


async def permit_of(
    snapshot_id: str, request: Request, services: Provided, link: Annotated[str | None, Query(description=_LINK)] = None
) -> Permit:
    """Who asks for a download. Raises `Unauthorized` without a badge or a link, `Forbidden` without the right."""
    if link is not None:
        # Before the badge: whoever follows a link uses the rights of its maker, not their own.
        return Permit(*await services[Links].follow(link, snapshot_id))
    who = await principal_of(request, services)
    who.require(Right.READ)
    return Permit(who)


Permitted = Annotated[Permit, Depends(permit_of)]


@router.get(
    "/snapshots/{snapshot_id}/content",
    summary="Download a file",
    response_class=Response,
    responses=_FILE,
    openapi_extra=_ASKING,
)
async def read_content(
    snapshot_id: str,
    request: Request,
    audit: Audit,
    downloads: Service,
    permit: Permitted,
    path: Annotated[str | None, Query(description=_PATH, json_schema_extra=PATH_SCHEMA)] = None,  # noqa: ARG001 - read as bytes
) -> AuditedDownload:
    """Byte for byte, with `Range`, `If-Range`, `ETag` and `If-None-Match`, as an attachment with the file's name."""
    sought, asked = _file_of(request, permit), _conditions(request)
    # With the range: a file that is fetched in parts has an entry for each.
    facts = selection_details([shown(sought)], range=asked.get("range"))
    return AuditedDownload(
        audit,
        _audit_entry(permit, snapshot_id, DOWNLOAD_FILE, facts),
        lambda on_store: downloads.file(
            permit.who, snapshot_id, sought, method="GET", headers=asked, on_store=on_store
        ),
    )


@router.head(
    "/snapshots/{snapshot_id}/content",
    summary="Look at a file",
    response_class=Response,
    responses=_HEADERS_ALONE,
    openapi_extra=_ASKING,
)
async def read_content_headers(
    snapshot_id: str,
    request: Request,
    downloads: Service,
    permit: Permitted,
    path: Annotated[str | None, Query(description=_PATH, json_schema_extra=PATH_SCHEMA)] = None,  # noqa: ARG001 - read as bytes
) -> ProxyResponse:
    """The headers that a download would have, without its bytes."""
    sought = _file_of(request, permit)
    return ProxyResponse(lambda: downloads.file_headers(permit.who, snapshot_id, sought, headers=_conditions(request)))


@router.post(
    "/snapshots/{snapshot_id}/archive",
    summary="Download files and folders as an archive",
    response_class=Response,
    responses=_ARCHIVE | problems(413),
)
async def make_archive(snapshot_id: str, body: ArchiveBody, services: Provided, who: Who) -> AuditedDownload:
    """As zip, or as tar.zst with owners, exact times, devices and extended attributes.

    Names begin below the folder that holds the whole selection; of one folder, with its own name.
    """
    who.require(Right.READ)
    return _archive(services, Permit(who), snapshot_id, [path.encode() for path in body.paths], body.format)


@router.get(
    "/snapshots/{snapshot_id}/archive",
    summary="Download an archive by a link or a query",
    response_class=Response,
    responses=_ARCHIVE,
    openapi_extra=BY_LINK,
)
async def read_archive(
    snapshot_id: str,
    request: Request,
    services: Provided,
    permit: Permitted,
    path: Annotated[list[PathText] | None, Query(description=f"{_PATH}; may be repeated")] = None,  # noqa: ARG001 - as bytes
    format: Annotated[Format, Query(description="With a badge; a link has its own")] = "zip",
) -> AuditedDownload:
    """Like the `POST`, for what can only follow an address."""
    if permit.link is None:
        paths = bytes_parameters(request.scope["query_string"], "path")
        # Here, as these are the bytes of the address; what the framework parsed is not used.
        if not 0 < len(paths) <= MOST_PATHS:
            raise Invalid("path_missing", "The parameter `path` is missing, or comes too often.", fields={"path": "1"})
        return _archive(services, permit, snapshot_id, paths, format)
    if permit.link.format is None:
        raise invalid()
    return _archive(services, permit, snapshot_id, paths_of(permit.link), permit.link.format)


def _archive(services: Services, permit: Permit, snapshot_id: str, paths: list[bytes], form: Format) -> AuditedDownload:
    facts = selection_details([shown(path) for path in paths], format=form)
    return AuditedDownload(
        services[AuditLog],
        _audit_entry(permit, snapshot_id, DOWNLOAD_ARCHIVE, facts),
        lambda on_store: services[Downloads].archive(permit.who, snapshot_id, paths, form, on_store=on_store),
    )


def _file_of(request: Request, permit: Permit) -> bytes:
    """The path of the file that is asked for."""
    if permit.link is None:
        found = bytes_parameter(request.scope["query_string"], "path")
        if found is None:
            raise Invalid("path_missing", "The parameter `path` is missing.", fields={"path": "missing"})
        return found
    # A link is for one download in one form: that to an archive opens no file.
    if permit.link.format is not None:
        raise invalid()
    return paths_of(permit.link)[0]


def _conditions(request: Request) -> dict[str, str]:
    return {name: request.headers[name] for name in CONDITIONS if name in request.headers}


def _audit_entry(permit: Permit, snapshot_id: str, action: str, details: dict[str, JsonValue]) -> AuditEntry:
    return AuditEntry(
        organization_id=permit.who.organization_id,
        actor=Actor(account_id=permit.who.account_id, via=permit.via),
        action=action,
        subject=Subject(kind="snapshot", id=snapshot_id),
        details=details,
    )
