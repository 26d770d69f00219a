"""Connectors: sources, stores and destinations."""

from contextlib import nullcontext
from typing import Annotated

from contracts.messages.assignment import AppKind
from fastapi import APIRouter, Depends, Query, Response
from pydantic import JsonValue

from gateway.access.principals import Principals
from gateway.access.rights import Right
from gateway.areas.connectors.filters import ConnectorFilter
from gateway.areas.connectors.removal import Removals
from gateway.areas.connectors.revisions import ExpectedRevision, expected_revision, tag_of
from gateway.areas.connectors.schemas.answers import (
    ConnectorView,
    ReportView,
    RolesView,
    connector_view,
    report_view,
)
from gateway.areas.connectors.schemas.overviews import ConnectorDetailView, detail_view
from gateway.areas.connectors.schemas.requests import ConnectorBody, ConnectorRoles, StoreCreation, StoreRefresh
from gateway.areas.connectors.schemas.stores import (
    LockView,
    RefreshView,
    StoreView,
    UnlockView,
    lock_view,
    refresh_view,
)
from gateway.areas.connectors.service import Connectors
from gateway.audit_log.entries import BELIEVE_STORE, CREATE_STORE, REPLACE_STORE, UNLOCK_STORE
from gateway.clients.assignment import AssignmentClient
from gateway.http.answers import PageView, whole
from gateway.http.dependencies import Audit, RequestIntent, Who, WhoInOrganization, provided
from gateway.http.openapi import headers, problems, writes

router = APIRouter(prefix="/api/v1", tags=["connectors"])
Service = Annotated[Connectors, provided(Connectors)]
Assignment = Annotated[AssignmentClient, provided(AssignmentClient)]
KnownPrincipals = Annotated[Principals, provided(Principals)]
Removing = Annotated[Removals, provided(Removals)]
Expected = Annotated[ExpectedRevision, Depends(expected_revision)]
_SEARCH = "A part of the name, or of the name or URN of the resource, whatever the case"
_TAGGED: dict[int | str, dict[str, object]] = {
    200: {"description": "The connector; its `ETag` is its revision.", "headers": headers("ETag")}
}


@router.get("/account/organizations/{org}/connectors", summary="List connectors", responses=problems(404))
async def list_connectors(
    connectors: Service,
    who: WhoInOrganization,
    kind: Annotated[AppKind | None, Query(alias="type", description="Only this type")] = None,
    search: Annotated[str, Query(max_length=1000, description=_SEARCH)] = "",
    inventory_id: Annotated[str | None, Query(max_length=200, description="Only of resources of this one")] = None,
    exclude_locked: Annotated[bool, Query(description="Without those whose resource is locked")] = False,
) -> PageView[ConnectorView]:
    """Complete. Secrets are in clear for owners and administrators, and masked for others, as in a single read."""
    if not who.may(Right.READ):
        # Clients expect an empty listing, not a refusal, for an account without grants.
        return whole([])
    wanted = ConnectorFilter(search, inventory_id or None, exclude_locked)
    return whole([connector_view(shown) for shown in await connectors.list(who, kind, wanted)])


@router.post("/account/organizations/{org}/connectors", summary="Create a connector", responses=writes(404, 409))
async def create_connector(
    body: ConnectorBody, audit: Audit, connectors: Service, who: WhoInOrganization, intent: RequestIntent
) -> ConnectorView:
    """Puts a resource to use. Without integration or protocol they are chosen by the resource's class and subclass.

    Fields that are required may be filled in later: until then `complete` is false, `faults` names them, and tests,
    runs and the creation of storage are refused (`connector_incomplete`). Values that are there are checked.
    """
    who.require(Right.WRITE)
    # The id follows from the request, so the entry can name the connector before there is one.
    async with audit.change(who, "connector.create", "connector", intent.id_for("app"), **body.summary()):
        return connector_view(await connectors.assign(who, body.request(), intent))


@router.get("/connectors/{connector}", summary="Read a connector", responses={**_TAGGED, **problems(404)})
async def read_connector(connector: str, connectors: Service, who: Who, response: Response) -> ConnectorDetailView:
    """One connector, its last test, and what can be done with it.

    Secrets are in clear for owners and administrators; others read `masked` in place of the value.
    Each read of secrets stands in the audit log (`secret.read`).
    """
    who.require(Right.READ)
    shown = await connectors.overview(who, connector)
    response.headers["ETag"] = tag_of(shown.overview.app)
    return detail_view(shown)


@router.post("/connectors/{connector}", summary="Change a connector", responses={**_TAGGED, **writes(404, 409, 412)})
async def change_connector(
    connector: str,
    body: ConnectorBody,
    audit: Audit,
    connectors: Service,
    who: Who,
    intent: RequestIntent,
    expected: Expected,
    response: Response,
) -> ConnectorView:
    """Takes the full body of a creation. The type is fixed; an initialized store stays initialized. A connector that is
    sent back as it was read stays in its revision, and is not tested again.
    That holds, and it can be renamed, also where its resource is gone or got a class that does not fit: with the same
    resource, integration and protocol.

    A secret that is sent back `masked`, as it was read, stays as it is. Without `If-Match` the last change wins.
    """
    who.require(Right.WRITE)
    async with audit.change(who, "connector.change", "connector", connector, **body.summary()):
        shown = await connectors.reconfigure(who, connector, body.request(), intent, expected=expected)
    response.headers["ETag"] = tag_of(shown.app)
    return connector_view(shown)


@router.delete(
    "/connectors/{connector}", summary="Remove a connector", status_code=204, responses=writes(404, 409, 412)
)
async def remove_connector(
    connector: str,
    audit: Audit,
    removals: Removing,
    who: Who,
    intent: RequestIntent,
    expected: Expected,
    force: Annotated[bool, Query(description="Cancel the jobs that use it, in place of `connector_in_use`")] = False,
) -> Response:
    """Stored data is not touched; restore points of a source stay, and are found as before.

    Refused while jobs that run or wait use it (`connector_in_use`), unless by `force`: they are asked to stop, then it
    is removed, without waiting for their end. A store with restore points under legal hold is never removed
    (`store_has_holds`). `GET /connectors/{connector}/removal` says beforehand what it would mean.
    """
    who.require(Right.WRITE)
    details: dict[str, JsonValue] = {"force": True} if force else {}
    async with audit.change(who, "connector.remove", "connector", connector, **details):
        await removals.remove(who, connector, intent, expected=expected, force=force)
    return Response(status_code=204)


@router.post(
    "/connectors/{connector}/stores/create",
    summary="Create the storage behind a store",
    responses=writes(404, 409),
)
async def create_store(
    connector: str,
    audit: Audit,
    connectors: Service,
    who: Who,
    intent: RequestIntent,
    body: StoreCreation | None = None,
) -> StoreView:
    """Storage that is there already, encrypted with the same passphrase, is taken over as it is.

    Refused for a store without a passphrase (`passphrase_missing`) and for other types (`not_a_store`). Where the store
    had storage before that is not there now (`repository_missing`: a disk is not mounted, say), is another one
    (`repository_changed`) or has lost its restore points (`snapshots_missing`), nothing is done unless `force` says
    that this is meant; that stands in the audit log.
    """
    who.require(Right.WRITE)
    asked = body or StoreCreation()
    # An action of its own: by `force` the restore points of another repository may leave the index (0025).
    action = REPLACE_STORE if asked.force else CREATE_STORE
    async with audit.change(who, action, "store", connector, **asked.model_dump(exclude_none=True)):
        made = await connectors.initialize(
            who, connector, intent, compression=asked.level(), force=asked.force, chunker_of=asked.chunker_of
        )
    return StoreView(id=connector, initialized=True, adopted=made.adopted, compression=made.compression)


@router.post(
    "/connectors/{connector}/stores/refresh",
    summary="Compare a store with what is known of it",
    responses=writes(404, 409),
)
async def refresh_store(
    connector: str, audit: Audit, connectors: Service, who: Who, intent: RequestIntent, body: StoreRefresh | None = None
) -> RefreshView:
    """Restore points made or removed elsewhere are taken in or forgotten; that goes on after the answer.

    Happens by itself every now and then. Nothing changes where a store cannot be opened, is away
    (`repository_missing`), holds another repository than before (`repository_changed`), lacks a part
    (`repository_damaged`), or has data and no restore point any more, and nobody can tell whether they were lost
    (`snapshots_missing`; `force` says that they were removed).
    """
    who.require(Right.RUN)
    asked = body or StoreRefresh()
    # Without `force` nobody decides anything: the same comparison runs by itself every now and then.
    written = audit.change(who, BELIEVE_STORE, "store", connector) if asked.force else nullcontext()
    async with written:
        found = await connectors.refresh(who, connector, intent, rebuild=asked.rebuild, force=asked.force)
    return refresh_view(connector, found, rebuild=asked.rebuild)


@router.get("/connectors/{connector}/stores/locks", summary="Who works on a store", responses=problems(404, 409))
async def list_locks(connector: str, connectors: Service, who: Who) -> PageView[LockView]:
    """Each process that works on the storage behind a store leaves a lock there; complete, oldest first."""
    who.require(Right.READ)
    return whole([lock_view(lock) for lock in await connectors.locks(who, connector)])


@router.post(
    "/connectors/{connector}/stores/unlock", summary="Remove stale locks of a store", responses=writes(404, 409)
)
async def unlock_store(
    connector: str, audit: Audit, connectors: Service, who: Who, intent: RequestIntent
) -> UnlockView:
    """Removes the locks that are proved stale: not renewed for 30 minutes, or of a process of the worker's host that is
    gone. Where there are locks and none of them is, they stay (`lock_not_stale`). Stands in the audit log.
    """
    who.require(Right.RUN)
    async with audit.change(who, UNLOCK_STORE, "store", connector):
        done = await connectors.unlock(who, connector, intent)
    removed, remaining = ([lock_view(lock) for lock in locks] for locks in (done.removed, done.remaining))
    return UnlockView(id=connector, removed=removed, remaining=remaining)


@router.post("/connectors/{connector}/test", summary="Test the connection", responses=writes(404, 409))
async def test_connector(connector: str, connectors: Service, who: Who, intent: RequestIntent) -> ReportView:
    """Connects for real and reports each check. A failed test is a 200 with `ok` false."""
    who.require(Right.RUN)
    return report_view(await connectors.test(who, connector, intent))


@router.put("/connectors/{connector}/roles", summary="Set role lists", responses=problems(404, 413))
async def set_roles(
    connector: str, body: ConnectorRoles, assignment: Assignment, principals: KnownPrincipals, who: Who
) -> RolesView:
    """Accepted for older clients and without effect: what an account may do follows from its grants alone."""
    who.require(Right.WRITE)
    # For the 404 of an unknown connector alone.
    await assignment.app(who, connector)
    await principals.check_members(who, body.account_ids())
    return RolesView.model_validate(body.model_dump())
