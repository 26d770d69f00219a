"""Questions for versions and differences, as they reach the index."""

import httpx
import pytest
from contracts.errors import CairnError
from contracts.values import OrganizationId
from gateway.access.principal import Principal
from gateway.areas.history.service import History, Part

from tests.unit.gateway.services import Answer, a_problem, clients_of

WHO = Principal(account_id="someone", organization_id=OrganizationId("org"))
OLD, NEW = "5f" * 32, "6a" * 32
PLACE = f"/internal/restore-points/{OLD}/diff/{NEW}"


def history_of(answer: Answer) -> History:
    clients = clients_of(answer)
    return History(clients.assignment, clients.restore_index)


async def test_paths_and_cursors_reach_the_index_byte_for_byte() -> None:
    heard: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        heard.append(str(request.url))
        return httpx.Response(200, content=b"{}")

    history = history_of(answer)
    assert await history.changes(WHO, (OLD, NEW), Part(b"/caf\xe9 &x", 7, "a=&b")) == b"{}"
    async with history.all_changes(WHO, (OLD, NEW), b"/") as lines:
        assert await lines.aread() == b"{}"
    assert heard == [
        f"http://service{PLACE}?path=%2Fcaf%E9%20%26x&limit=7&cursor=a%3D%26b",
        f"http://service{PLACE}?path=%2F&stream=true",
    ]


@pytest.mark.parametrize("odd", ["", "..", "a/b", "x" * 201])
async def test_what_can_be_no_id_is_not_found(odd: str) -> None:
    history = history_of(lambda _: httpx.Response(200, content=b"{}"))
    for pair in ((odd, NEW), (OLD, odd)):
        with pytest.raises(CairnError, match="snapshot_not_found"):
            await history.changes(WHO, pair, Part(b"/", 1))
        with pytest.raises(CairnError, match="snapshot_not_found"):
            history.all_changes(WHO, pair, b"/")


async def test_a_refusal_of_the_index_is_told_before_any_line() -> None:
    history = history_of(lambda _: a_problem(503, "restore_point_not_browsable"))
    with pytest.raises(CairnError, match="restore_point_not_browsable"):
        async with history.all_changes(WHO, (OLD, NEW), b"/"):
            pass
