"""What is asked and answered, in the form of the internal API."""

from typing import Any

import msgspec
from chassis.http.byte_parameters import bytes_parameter
from contracts.queries.restore_index import IndexedRestorePoint
from fastapi import Response

from restore_index.domain.restore_points import Point
from restore_index.usecases.protection import Marks

_NONE = Marks({}, frozenset(), frozenset())


def read_path(query: bytes) -> bytes:
    """The parameter `path` of a query, byte for byte; the root without one."""
    found = bytes_parameter(query, "path")
    return b"/" if found is None else found


def show_point(point: Point, marks: Marks = _NONE) -> IndexedRestorePoint:
    """A restore point as other processes see it."""
    snapshot_id = point.restore_point.snapshot_id
    return IndexedRestorePoint(
        **dict(point.restore_point),
        browsable=point.browsable,
        damage=point.damage,
        totals=point.totals,
        legal_hold=marks.holds.get(snapshot_id),
        being_deleted=snapshot_id in marks.claimed,
        maybe_deleted=snapshot_id in marks.maybe_deleted,
    )


def json_response(answer: dict[str, Any]) -> Response:
    """An answer that needs no validation, as JSON."""
    return Response(msgspec.json.encode(answer), media_type="application/json")
