"""What a client learns of a part of Cairn that does not answer."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from chassis.errors import Unavailable
from chassis.http.client import ServiceClient
from chassis.http.tokens import Caller, Tokens
from chassis.http.transport import Answer, Http, HttpError
from contracts.values import OrganizationId

CALLER = Caller(organization_id=OrganizationId("org"), account_id="someone")


class Silent(Http):
    """Never answers."""

    @asynccontextmanager
    async def stream(
        self, method: str, url: str, *, headers: Mapping[str, str], content: bytes = b""
    ) -> AsyncIterator[Answer]:
        """See `Http`."""
        raise HttpError
        yield


async def test_where_a_part_answers_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    client = ServiceClient("http://127.0.0.1:28084", http=Silent(), tokens=Tokens(bytes(32), audience="a"))
    with pytest.raises(Unavailable, match="service_unavailable") as refused:
        await client.get("/internal/apps", CALLER)
    assert not any(part in refused.value.detail for part in ("127.0.0.1", "28084", "HttpError"))
    assert [record.__dict__["address"] for record in caplog.records] == ["127.0.0.1:28084"]
