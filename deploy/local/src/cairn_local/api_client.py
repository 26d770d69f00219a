"""A small client of the HTTP API v1, for the demo, the journeys and the benchmarks."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import quote

import httpx

POLL_SECONDS = 0.1
Json = dict[str, Any]


class ApiProblem(Exception):
    """The gateway answered with a problem. `body` is the problem object."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(f"{status} {body.get('code', '')}: {body.get('detail', '')}")
        self.status = status
        self.body = body

    @property
    def code(self) -> str:
        """The stable code of the problem."""
        return str(self.body.get("code", ""))


class Api:
    """Calls of one account. Logs in by API key, and again when the badge has expired."""

    def __init__(self, url: str, api_key: str, *, timeout_seconds: float = 60) -> None:
        self.url = url.rstrip("/")
        self._api_key = api_key
        # trust_env: a proxy of the caller's environment cannot reach a gateway on this machine.
        self._http = httpx.Client(base_url=f"{self.url}/api/v1", timeout=timeout_seconds, trust_env=False)
        self.organization_id = ""

    def __enter__(self) -> Self:
        """Log in."""
        self.login()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._http.close()

    def login(self) -> Json:
        """Exchange the API key for a badge and learn the organization."""
        answer = self._http.post("/auth/login/apikey", json={"api_key": self._api_key})
        self._http.headers["Authorization"] = f"Bearer {_checked(answer).json()['token']}"
        me: Json = self.get("/account/me")
        self.organization_id = me["organization_id"]
        return me

    def call(self, method: str, path: str, **parts: Any) -> httpx.Response:
        """One request; a 401 logs in once more. Raises `ApiProblem` for any status of 400 or more."""
        response = self._http.request(method, path, **parts)
        # A bearer token expires; a benchmark or a demo on a slow machine may take longer.
        if response.status_code == 401 and self._api_key:
            self.login()
            response = self._http.request(method, path, **parts)
        return _checked(response)

    @contextmanager
    def stream(self, method: str, path: str, **parts: Any) -> Iterator[httpx.Response]:
        """One request whose answer is read as it comes. Raises `ApiProblem` like `call`."""
        with self._http.stream(method, path, **parts) as response:
            if response.status_code >= 400:
                response.read()
            yield _checked(response)

    def get(self, path: str, **parameters: Any) -> Any:
        """The JSON of a GET."""
        return self.call("GET", path, params=parameters or None).json()

    def post(self, path: str, body: Json | None = None) -> Any:
        """The JSON of a POST, None when there is no body."""
        response = self.call("POST", path, json=body)
        return response.json() if response.content else None

    def delete(self, path: str) -> None:
        """A DELETE."""
        self.call("DELETE", path)

    def organization(self, path: str) -> str:
        """A path below the organization of the badge."""
        return f"/account/organizations/{self.organization_id}{path}"

    def create_inventory(self, name: str) -> str:
        """Id of a new self-managed inventory."""
        return str(self.post(self.organization("/inventories"), {"name": name, "type": "self-managed"})["id"])

    def create_resource(self, inventory_id: str, body: Json) -> str:
        """`urn_id` of a new resource."""
        return str(self.post(f"/inventories/{inventory_id}/resources", body)["urn_id"])

    def integration_id(self, name: str) -> str:
        """Id of an installed integration."""
        found = [i["id"] for i in self.get("/integrations/installed")["items"] if i["name"] == name]
        if not found:
            raise LookupError(f"integration {name} is not installed")
        return str(found[0])

    def create_connector(self, kind: str, *, name: str, integration: str, urn_id: str, fields: dict[str, str]) -> str:
        """Id of a new source, store or destination."""
        body = {
            "name": name,
            "type": kind,
            "protocol": integration,
            "integration": {"id": self.integration_id(integration)},
            "urn_id": urn_id,
            "fields": {key: {"value": value} for key, value in fields.items()},
        }
        return str(self.post(self.organization("/connectors"), body)["id"])

    def start_backup(self, source_id: str, store_id: str, config: Json | None = None) -> str:
        """Run id of a new one-off backup."""
        return self.start_run("backup", source_id, store_id, config)

    def start_run(self, kind: str, origin_id: str, target_id: str, config: Json | None = None) -> str:
        """Run id of a new one-off task of a type."""
        body: Json = {"type": kind, "origin_id": origin_id, "target_id": target_id}
        return str(self.post("/scheduling/scheduler/run", body | ({"config": config} if config else {}))["id"])

    def wait_for_run(
        self,
        run_id: str,
        *,
        deadline_seconds: float = 120,
        pause_seconds: float = POLL_SECONDS,
        watch: Callable[[Json], None] | None = None,
    ) -> Json:
        """The job of a run once it is over, asked for after every pause. Raises TimeoutError past the deadline."""
        until = time.monotonic() + deadline_seconds
        while time.monotonic() < until:
            job = self.get(f"/scheduling/scheduler/run/{run_id}").get("job")
            if job and watch:
                watch(self.get(f"/scheduling/jobs/{job['id']}"))
            if job and job.get("stopped_at"):
                return dict(job)
            time.sleep(pause_seconds)
        raise TimeoutError(f"run {run_id} was not over in time")

    def job_log(self, job_id: str) -> str:
        """The log of a job."""
        return self.call("GET", f"/scheduling/jobs/{job_id}/log").text

    def snapshots(self, store_id: str) -> list[Json]:
        """All restore points of a store."""
        return list(self.get(f"/snapshots/store/{store_id}")["items"])

    def files(self, snapshot_id: str, path: str = "/", *, limit: int = 500) -> Iterator[Json]:
        """The entries of a directory, page by page."""
        cursor = ""
        while True:
            query = f"path={quote(path, safe='')}&limit={limit}" + (f"&cursor={quote(cursor)}" if cursor else "")
            page = self.get(f"/snapshots/{snapshot_id}/files?{query}")
            yield from page["items"]
            cursor = page.get("next_cursor") or ""
            if not cursor:
                return

    def content(self, snapshot_id: str, path: str, *, headers: dict[str, str] | None = None) -> httpx.Response:
        """One file of a restore point, read whole."""
        query = f"path={quote(path, safe='')}"
        return self.call("GET", f"/snapshots/{snapshot_id}/content?{query}", headers=headers or {})


def _checked(response: httpx.Response) -> httpx.Response:
    if response.status_code < 400:
        return response
    try:
        body = response.json()
    except ValueError:
        body = {"detail": response.text[:500]}
    raise ApiProblem(response.status_code, body)
