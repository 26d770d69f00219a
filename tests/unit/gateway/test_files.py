"""Questions about the files in a restore point are passed on byte for byte, and so are their answers."""

import httpx
import pytest
from contracts.values import OrganizationId
from gateway.access.principal import Principal
from gateway.areas.files.service import Files

from tests.unit.gateway.services import clients_of

WHO = Principal(account_id="someone", organization_id=OrganizationId("org"))
ODD_JSON = b'{ "items": [1.0, 1e2],\n"path": "\\u00e9" }'


@pytest.mark.parametrize(
    ("path", "asked", "query"),
    [
        (b"/", {"limit": "100", "cursor": ""}, b"path=%2F&limit=100"),
        (
            b"/caf\xe9 &=+%",
            {"sort": "size", "cursor": "a=&b"},
            b"path=%2Fcaf%E9%20%26%3D%2B%25&sort=size&cursor=a%3D%26b",
        ),
    ],
)
async def test_a_directory_is_asked_for_and_answered_as_it_is(path: bytes, asked: dict[str, str], query: bytes) -> None:
    heard: list[httpx.URL] = []

    def answer(request: httpx.Request) -> httpx.Response:
        heard.append(request.url)
        return httpx.Response(200, content=ODD_JSON)

    files = Files(clients_of(answer).restore_index)
    assert await files.list(WHO, "5f", path, asked) == ODD_JSON
    assert await files.show(WHO, "5f", path) == ODD_JSON
    assert [url.path.rpartition("/")[2] for url in heard] == ["files", "entry"]
    assert (heard[0].query, heard[1].query) == (query, query.partition(b"&")[0])
