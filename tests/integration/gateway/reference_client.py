"""A client that knows the compatibility reference alone.

It sends `Content-Type: application/json` with everything, reads the fields that the reference names, pages as it says
and computes changes from what it read.
"""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from tests.integration.gateway.client import Json

READ, CREATED, DELETED = (200,), (200, 201), (200, 204)
AT_ONCE = 10


@dataclass(frozen=True)
class Caller:
    """Speaks the API as the public clients do; what is not accepted is a failure."""

    http: httpx.AsyncClient
    organization: str

    async def answer(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """The answer to a request, whose path is sent as it stands."""
        content = json.dumps(body).encode() if body is not None else b""
        return await self.http.request(method, f"/api/v1{path}", content=content)

    async def ask(self, method: str, path: str, body: Any = None, *, accepts: tuple[int, ...] = READ) -> Any:
        """The JSON of an accepted answer; None where there is none."""
        answer = await self.answer(method, path, body)
        assert answer.status_code in accepts, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def refused(self, method: str, path: str, body: Any = None) -> int:
        """The status of a refusal, which says in `detail` why."""
        answer = await self.answer(method, path, body)
        problem = answer.json()
        assert problem["status"] == answer.status_code >= 400
        assert problem["title"]
        assert problem["detail"]
        return answer.status_code

    async def walk(self, path: str, **query: str) -> list[Json]:
        """All rows of a listing: pages of 50, on by the rows received, until an empty page or the total."""
        rows: list[Json] = []
        while True:
            given = "".join(f"&{name}={quote(value, safe='')}" for name, value in query.items())
            page = await self.ask("GET", f"{path}?limit=50&offset={len(rows)}{given}")
            items = page.get("items") or []
            assert len(items) <= 50
            rows += items
            if not items or len(rows) >= page.get("total", 0):
                return rows

    async def ask_all(self, method: str, paths: Iterable[str], body: Any = None, *, accepts: tuple[int, ...]) -> None:
        """The same request of many things, a few at once."""
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(path: str) -> None:
            async with slots:
                await self.ask(method, path, body, accepts=accepts)

        await asyncio.gather(*map(one, paths))

    async def find(self, wanted: str) -> str:
        """Handle of a resource: by its URN exactly, then by a name that only one has."""
        rows = await self.walk("/inventories/resources", search=wanted)
        found = [row for row in rows if row["urn"] == wanted] or [row for row in rows if row["name"] == wanted]
        assert len(found) == 1, rows
        return str(found[0]["urn_id"])

    @property
    def inventories(self) -> str:
        """Path of the collection."""
        return f"/account/organizations/{self.organization}/inventories"

    async def new_inventory(self, name: str = "reference") -> str:
        """Id of a self-managed inventory, as the provisioning makes one."""
        made = await self.ask("POST", f"{self.inventories}/self-managed", {"name": name})
        return str(made["id"])


def a_resource(urn: str, **changes: Any) -> Json:
    """A resource as the provisioning sends it: without tags and exclusion."""
    body = {"urn": urn, "name": f"name of {urn}", "class": "object-storage", "subclass": "s3", "service": "s3"}
    return body | {"endpoints": [{"endpoint": "s3.example.com"}]} | changes
