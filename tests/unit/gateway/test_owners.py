"""Questions to the services: what they may be asked, and what becomes of odd answers."""

import httpx
import pytest
from chassis.errors import NotFound, Unavailable
from contracts.values import OrganizationId
from gateway.usecases.owners import Owners
from gateway.usecases.visitors import Visitor

from tests.unit.gateway.services import owners_of

WHO = Visitor(account_id="someone", organization_id=OrganizationId("org"))


def never_asked() -> Owners:
    def answer(request: httpx.Request) -> httpx.Response:
        pytest.fail(f"asked for {request.url}")

    return owners_of(answer)


@pytest.mark.parametrize("odd", ["", ".", "..", "x/", "/x", "a/b", "/", "x" * 300])
async def test_what_cannot_be_an_id_is_not_asked_for(odd: str) -> None:
    owners = never_asked()
    for code, ask in (("app", owners.app), ("resource", owners.resource), ("snapshot", owners.same_restore_points)):
        with pytest.raises(NotFound, match=f"{code}_not_found"):
            await ask(WHO, odd)


@pytest.mark.parametrize("status", [301, 307, 308])
async def test_redirection_by_a_service_is_no_answer(status: int) -> None:
    owners = owners_of(lambda _: httpx.Response(status, headers={"location": "http://elsewhere/"}))
    with pytest.raises(Unavailable, match="service_failed"):
        await owners.app(WHO, "app-1")
