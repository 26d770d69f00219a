"""What is asked and answered, in the form of the internal API."""

from collections.abc import Mapping, Set
from typing import Any

import msgspec
from chassis.http.byte_parameters import bytes_parameter
from contracts.messages.protection import LegalHold
from contracts.queries.restore_index import IndexedRestorePoint
from contracts.values import SnapshotId
from fastapi import Response

from restore_index.domain.restore_points import Point


def read_path(query: bytes) -> bytes:
    """The parameter `path` of a query, byte for byte; the root without one."""
    found = bytes_parameter(query, "path")
    return b"/" if found is None else found


def show_point(
    point: Point, holds: Mapping[SnapshotId, LegalHold] | None = None, claimed: Set[SnapshotId] = frozenset()
) -> IndexedRestorePoint:
    """A restore point as other processes see it."""
    return IndexedRestorePoint(
        **dict(point.restore_point),
        browsable=point.browsable,
        damage=point.damage,
        totals=point.totals,
        legal_hold=(holds or {}).get(point.restore_point.snapshot_id),
        being_deleted=point.restore_point.snapshot_id in claimed,
    )


def json_response(answer: dict[str, Any]) -> Response:
    """An answer that needs no validation, as JSON."""
    return Response(msgspec.json.encode(answer), media_type="application/json")
