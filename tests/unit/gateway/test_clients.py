"""Questions to the services: what they may be asked, and what becomes of odd answers."""

from datetime import UTC, datetime

import httpx
import pytest
from chassis.errors import Unavailable
from contracts.errors import NotFound
from contracts.messages.restore_index import Damage, RestorePoint
from contracts.queries.restore_index import IndexedRestorePoint
from contracts.values import AppId, OrganizationId, SnapshotId, TreeId
from gateway.access.principal import Principal
from gateway.clients.restore_index import refusal as refusal_of_gateway
from gateway.clients.service_clients import ServiceClients
from restore_index.domain.restore_points import Point, refusal

from tests.unit.gateway.services import clients_of

WHO = Principal(account_id="someone", organization_id=OrganizationId("org"))


def never_asked() -> ServiceClients:
    def answer(request: httpx.Request) -> httpx.Response:
        pytest.fail(f"asked for {request.url}")

    return clients_of(answer)


@pytest.mark.parametrize("odd", ["", ".", "..", "x/", "/x", "a/b", "/", "x" * 300])
async def test_what_cannot_be_an_id_is_not_asked_for(odd: str) -> None:
    clients = never_asked()
    for code, ask in (
        ("app", clients.assignment.app),
        ("resource", clients.catalog.resource),
        ("snapshot", clients.restore_index.same_restore_points),
    ):
        with pytest.raises(NotFound, match=f"{code}_not_found"):
            await ask(WHO, odd)


@pytest.mark.parametrize("status", [301, 307, 308])
async def test_redirection_by_a_service_is_no_answer(status: int) -> None:
    clients = clients_of(lambda _: httpx.Response(status, headers={"location": "http://elsewhere/"}))
    with pytest.raises(Unavailable, match="service_failed"):
        await clients.assignment.app(WHO, "app-1")


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (None, "restore_point_not_browsable"),
        (Damage(code="blob_missing", detail="Lost."), "restore_point_damaged"),
        (Damage(code="thaw_required", detail="Frozen."), "thaw_required"),
    ],
)
def test_a_restore_point_is_refused_in_the_same_words_as_by_the_index(damage: Damage | None, code: str) -> None:
    point = RestorePoint(
        snapshot_id=SnapshotId("a" * 64), store_id=AppId("store"), tree_id=TreeId("b" * 64), time=datetime.now(UTC)
    )
    mine = refusal_of_gateway(IndexedRestorePoint.model_validate({**point.model_dump(), "damage": damage}))
    theirs = refusal(Point(restore_point=point, damage=damage))
    assert (type(mine), mine.code, mine.detail) == (type(theirs), theirs.code, theirs.detail)
    assert mine.code == code
