"""Warnings about a store into which backups work: which of its restore points are damaged."""

import asyncio
from collections.abc import Collection, Sequence

from contracts.errors import CairnError
from contracts.messages.connector.stores import StoreWarning
from contracts.messages.restore_index import NOT_INDEXABLE
from contracts.values import OrganizationId

from connector.stores.index_client import DamagedPoint, IndexClient

PATIENCE_SECONDS = 3.0
NAMED = 20
_UNKNOWN = StoreWarning(
    code="restore_points_unknown",
    detail="Whether restore points of this store are damaged could not be found out just now.",
)


async def store_warnings(
    index: IndexClient, org: OrganizationId, store_id: str, *, among: Collection[str] | None = None
) -> tuple[StoreWarning, ...]:
    """What is wrong with the restore points of a store, or with some of them, as far as it was found out before."""
    try:
        # Warnings go with answers that a person waits for: better a warning that they are unknown than no answer.
        async with asyncio.timeout(PATIENCE_SECONDS):
            found = await index.damaged_points(org, store_id)
    except (CairnError, TimeoutError):
        return (_UNKNOWN,)
    return warnings_of([each for each in found if among is None or each.snapshot_id in among])


def warnings_of(found: Sequence[DamagedPoint]) -> tuple[StoreWarning, ...]:
    """One warning of all that the store has lost something of, one of all that it does not give out,
    and one of all that the index did not take in.
    """
    lost = [each for each in found if each.damage.is_loss]
    refused = [each for each in found if each.damage.code == NOT_INDEXABLE]
    kept = [each for each in found if not each.damage.is_loss and each.damage.code != NOT_INDEXABLE]
    warnings = (
        _warning("restore_points_damaged", lost, "damaged: the store has lost something of"),
        _warning("restore_points_unreadable", kept, "unreadable: the store does not give out all of"),
        _warning("restore_points_not_indexable", refused, "not browsable, though nothing is lost of"),
    )
    return tuple(warning for warning in warnings if warning.total)


def _warning(code: str, found: Sequence[DamagedPoint], what: str) -> StoreWarning:
    count, those = ("1 restore point is", "it") if len(found) == 1 else (f"{len(found)} restore points are", "them")
    detail = f"{count} {what} {those}. {found[0].damage.detail}" if found else ""
    named = tuple(each.snapshot_id for each in found[:NAMED])
    return StoreWarning(code=code, detail=detail, snapshot_ids=named, total=len(found))
