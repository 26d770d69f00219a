"""What is asked and answered, in the form of the internal API."""

from typing import Any

import msgspec
from chassis.http.byte_parameters import bytes_parameter
from fastapi import Response

from restore_index.domain.restore_points import Point


def read_path(query: bytes) -> bytes:
    """The parameter `path` of a query, byte for byte; the root without one."""
    found = bytes_parameter(query, "path")
    return b"/" if found is None else found


def show_point(point: Point) -> dict[str, Any]:
    """A restore point as other processes see it."""
    totals = point.totals.model_dump() if point.totals else None
    damage = point.damage.model_dump() if point.damage else None
    told = point.restore_point.model_dump(mode="json")
    return {**told, "browsable": point.browsable, "damage": damage, "totals": totals}


def json_response(answer: dict[str, Any]) -> Response:
    """An answer that needs no validation, as JSON."""
    return Response(msgspec.json.encode(answer), media_type="application/json")
