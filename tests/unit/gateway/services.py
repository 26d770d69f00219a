"""The services behind the gateway, as answers to its questions. Nothing listens anywhere."""

from collections.abc import Callable, Mapping
from typing import Any

import httpx
from chassis.client import ServiceClient
from chassis.tokens import Tokens
from chassis.web import PROBLEM_JSON
from gateway.usecases.owners import Owners

Answer = Callable[[httpx.Request], httpx.Response]


def owners_of(answer: Answer) -> Owners:
    """All services, each answering as told."""
    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    service = ServiceClient("http://service", http=http, tokens=Tokens(bytes(32), audience="cairn-internal"))
    return Owners(service, service, service, service, service)


def a_problem(status: int, code: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
    """A refusal of a service."""
    body: dict[str, Any] = {"code": code, "detail": "No.", "status": status}
    return httpx.Response(status, json=body, headers={**(headers or {}), "content-type": PROBLEM_JSON})
