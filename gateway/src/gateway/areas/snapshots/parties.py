"""Where restore points come from and where they are, as a path names it."""

from contracts.errors import NotFound
from contracts.messages.assignment import AppKind
from contracts.queries.assignment import ReachableApp

from gateway.access.principal import Principal
from gateway.clients.assignment import AssignmentClient
from gateway.clients.restore_index import RestoreIndexClient


async def require_store(assignment: AssignmentClient, who: Principal, store_id: str) -> None:
    """Raise `NotFound` when there is no such connector, or it is no store: of either nobody knows restore points."""
    _require(await assignment.app(who, store_id), "store")


async def require_source(
    assignment: AssignmentClient, restore_index: RestoreIndexClient, who: Principal, source_id: str
) -> None:
    """Raise `NotFound` when there is no such source. One that was removed is there while its restore points are."""
    try:
        source = await assignment.app(who, source_id)
    except NotFound:
        if not await restore_index.has_restore_points_from(who, source_id):
            raise
    else:
        _require(source, "source")


def _require(app: ReachableApp, kind: AppKind) -> None:
    if app.kind != kind:
        raise NotFound(f"{kind}_not_found", f"There is no such {kind}: {app.name} is a {app.kind}.")
