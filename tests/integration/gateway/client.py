"""A client of the HTTP API as a user would write it: plain requests, nothing of the gateway's own code."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support.waiting import eventually_async
from tests.support.words import INSIDE

Json = dict[str, Any]


@dataclass
class Client:
    """Requests of one badge."""

    http: httpx.AsyncClient
    organization_id: str

    async def call(self, method: str, path: str, **parts: Any) -> httpx.Response:
        """One request below `/api/v1`."""
        return await self.http.request(method, f"/api/v1{path}", **parts)

    async def get(self, path: str, /, **params: Any) -> Any:
        """The JSON of a 200."""
        answer = await self.call("GET", path, params=params or None)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """The JSON of a 200; the result of an operation where a loaded machine takes longer than requests wait."""
        answer = await self.call("POST", path, json=body, headers=headers)
        if answer.status_code == 202:
            return (await self.ended(answer.json()["operation_id"], status="succeeded"))["result"]
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def change(self, method: str, path: str, body: Any) -> None:
        """A PUT or PATCH, once it is carried out."""
        answer = await self.call(method, path, json=body)
        if answer.status_code == 202:
            await self.ended(answer.json()["operation_id"], status="succeeded")
        else:
            assert answer.status_code == 200, answer.text

    async def ended(self, operation_id: str, *, status: str | None = None) -> Json:
        """An operation once it is over, with this status if one is given."""

        async def over() -> Json | None:
            found: Json = await self.get(f"/operations/{operation_id}")
            return found if found["status"] != "running" else None

        found = await eventually_async(over, 60)
        assert found
        assert status in (None, found["status"]), found
        return found

    async def audited(self, **query: Any) -> list[Json]:
        """Entries of the audit log, newest first, once each has its ending: that is written beside the answer."""

        async def told() -> list[Json] | None:
            items: list[Json] = (await self.get(self.org("/audit"), **query))["items"]
            return items if all(each["outcome"] != "started" for each in items) else None

        return await eventually_async(told, 20) or []

    async def problem(self, method: str, path: str, **parts: Any) -> Json:
        """The problem that a request is answered with."""
        answer = await self.call(method, path, **parts)
        assert answer.headers["content-type"] == "application/problem+json", answer.text
        body: Json = answer.json()
        assert body["status"] == answer.status_code >= 400
        assert body["title"]
        assert body["detail"]
        assert body["code"]
        assert not INSIDE.search(body["detail"]), body
        return body

    def org(self, path: str) -> str:
        """A path below the organization of the badge."""
        return f"/account/organizations/{self.organization_id}{path}"

    async def inventory(self, name: str = "cellar") -> str:
        """Id of a new inventory."""
        return str((await self.post(self.org("/inventories/self-managed"), {"name": name}))["id"])

    async def resource(self, inventory_id: str, urn: str = "urn:files", **changes: Any) -> str:
        """Handle of a new resource."""
        made = await self.post(f"/inventories/{inventory_id}/resources", a_resource_body(urn, **changes))
        return str(made["urn_id"])

    async def connector(self, kind: str, urn_id: str, fields: dict[str, str], **changes: Any) -> Json:
        """A new connector on a directory."""
        body = a_connector_body(kind, urn_id, fields, **changes)
        made: Json = await self.post(self.org("/connectors"), body)
        return made

    async def finished(self, run_id: str, deadline_seconds: float = 60) -> Json:
        """The job of a run once it is over."""

        async def over() -> Json | None:
            job: Json | None = (await self.get(f"/scheduling/scheduler/run/{run_id}")).get("job")
            return job if job and job["stopped_at"] is not None else None

        found = await eventually_async(over, deadline_seconds)
        assert found
        return found


def a_resource_body(urn: str = "urn:files", **changes: Any) -> Json:
    """A directory, as [setup] says it: without tags."""
    body = {
        "urn": urn,
        "name": "files",
        "class": "file-storage",
        "subclass": "posix",
        "service": "",
        "endpoints": [{"endpoint": "nas.example.com"}],
    }
    return body | changes


def a_connector_body(kind: str, urn_id: str, fields: dict[str, str], **changes: Any) -> Json:
    """A connector on a directory."""
    body = {
        "name": f"a {kind}",
        "type": kind,
        "protocol": "fs",
        "urn_id": urn_id,
        "fields": {name: {"value": value} for name, value in fields.items()},
        "endpoints": [],
        "data_classes": [],
        "environment": "",
    }
    return body | changes


@asynccontextmanager
async def log_in(url: str, credentials: Path) -> AsyncIterator[Client]:
    """A client of the owner, with a fresh badge."""
    api_key = json.loads(credentials.read_text())["api_key"]
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=40) as http:
        answer = await http.post("/api/v1/auth/login/apikey", json={"api_key": api_key})
        assert answer.status_code == 200, answer.text
        http.headers["authorization"] = f"Bearer {answer.json()['token']}"
        me = (await http.get("/api/v1/account/me")).json()
        yield Client(http, me["organization_id"])
