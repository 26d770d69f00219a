"""The services behind the gateway, as answers to its questions. Nothing listens anywhere."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from chassis.http.client import ServiceClient
from chassis.http.problem_responses import PROBLEM_JSON
from chassis.http.tokens import Tokens
from chassis.http.transport import Answer as Streamed
from chassis.http.transport import Http
from gateway.clients.assignment import AssignmentClient
from gateway.clients.bundles import BundleClient
from gateway.clients.catalog import CatalogClient
from gateway.clients.connector import ConnectorClient
from gateway.clients.restore_index import RestoreIndexClient
from gateway.clients.scheduler import SchedulerClient
from gateway.clients.sealing import SealingClient
from gateway.clients.service_clients import ServiceClients

Answer = Callable[[httpx.Request], httpx.Response]


class AnsweringHttp(Http):
    """Answers each request by calling a function."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self._answer = answer

    @asynccontextmanager
    async def stream(
        self, method: str, url: str, *, headers: Mapping[str, str], content: bytes = b""
    ) -> AsyncIterator[Streamed]:
        """See `Http`."""
        sent = httpx.Headers(headers, encoding="latin-1")
        response = self._answer(httpx.Request(method, url, headers=sent, content=content))
        yield Streamed(response.status_code, dict(response.headers), _whole(response.content))


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content


def clients_of(answer: Answer) -> ServiceClients:
    """All services, each answering by the same function."""
    http = AnsweringHttp(answer)
    service = ServiceClient("http://service", http=http, tokens=Tokens(bytes(32), audience="cairn-internal"))
    return ServiceClients(
        CatalogClient(service),
        AssignmentClient(service),
        SchedulerClient(service),
        RestoreIndexClient(service),
        ConnectorClient(service, {}, AssignmentClient(service)),
        BundleClient(service),
        SealingClient({"assignment": service, "catalog": service}, service),
    )


def a_problem(status: int, code: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
    """A refusal of a service."""
    body: dict[str, Any] = {"code": code, "detail": "No.", "status": status}
    return httpx.Response(status, json=body, headers={**(headers or {}), "content-type": PROBLEM_JSON})
