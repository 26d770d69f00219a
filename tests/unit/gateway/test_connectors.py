"""Connectors as the gateway handles them, with what it asks in memory."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from chassis.ids import utc_now
from contracts.errors import Conflict, NotFound
from contracts.messages.assignment import App, RemoveApp
from contracts.messages.protection import LegalHold
from contracts.queries.restore_index import IndexedRestorePoint
from gateway.areas.connectors.service import Connectors
from gateway.idempotency.intents import Intent

from tests.unit.gateway.test_domain import an_app

WHO = cast("Any", SimpleNamespace(organization_id="org-1"))
FREE = IndexedRestorePoint.model_validate(
    {"snapshot_id": "5f" * 32, "store_id": "app-1", "tree_id": "t", "time": utc_now()}
)
HELD = FREE.model_copy(update={"legal_hold": LegalHold(at=utc_now())})


class Others:
    """Assignment, the restore index and the commands that are carried out."""

    def __init__(self, app: App | None, points: Sequence[IndexedRestorePoint]) -> None:
        self.known, self.points = app, points
        self.commands: list[object] = []

    async def app(self, _: object, app_id: str) -> App:
        if self.known is None:
            raise NotFound("app_not_found", f"There is no connector {app_id}.")
        return self.known

    async def restore_points(self, _: object, store_id: str) -> Sequence[IndexedRestorePoint]:
        assert self.known is not None
        assert (self.known.kind, self.known.id) == ("store", store_id)
        return self.points

    async def carry_out(self, command: object, **_: object) -> None:
        self.commands.append(command)

    async def remove(self) -> None:
        own = cast("Any", self)
        connectors = Connectors(own, own, own, own, own, own, own, timeout_seconds=1)
        await connectors.remove(WHO, "app-1", Intent("intent-1", "key"))


async def test_a_store_with_a_legal_hold_is_not_removed() -> None:
    others = Others(an_app(), [FREE, HELD])

    with pytest.raises(Conflict, match="store_has_holds"):
        await others.remove()

    assert others.commands == []


@pytest.mark.parametrize(
    "others",
    [Others(an_app(), [FREE]), Others(an_app(kind="source"), [HELD]), Others(None, [HELD])],
    ids=["no holds", "no store", "gone before"],
)
async def test_what_holds_nothing_is_removed(others: Others) -> None:
    await others.remove()

    assert [type(each) for each in others.commands] == [RemoveApp]
