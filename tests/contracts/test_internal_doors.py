"""No service tells anything, nor does anything, for who does not show a token of Cairn's own: whatever is asked."""

import re
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple
from unittest.mock import Mock

import assignment.app
import catalog.app
import connector.api
import httpx
import pytest
import restore_index.api
import scheduler.jobs.api
from chassis.http.tokens import Caller, Tokens
from fastapi import FastAPI

from tests.support import builders as make

KEY = b"k" * 32
TOKENS = Tokens(KEY, audience="cairn-internal")
WHO = Caller(organization_id=make.ORG, account_id="somebody")


def refusing_store() -> Any:
    """What is asked of nothing, when the door holds."""
    return None


def refusing_areas() -> Any:
    """What is asked of nothing in any area, when the door holds."""
    return Mock()


DOORS: dict[str, FastAPI] = {
    "assignment": assignment.app.build_api(refusing_areas(), TOKENS, checks={}),
    "catalog": catalog.app.build_api(refusing_areas(), TOKENS, checks={}),
    "connector": connector.api.build_api(
        refusing_store(), refusing_store(), TOKENS, locks=refusing_store(), holders=refusing_store(), checks={}
    ),
    "restore-index": restore_index.api.build_api(refusing_store(), TOKENS, checks={}),
    "scheduler": scheduler.jobs.api.build_api(refusing_store(), TOKENS, checks={}),
}


def shown(key: bytes = KEY, audience: str = "cairn-internal", ttl_seconds: int = 60) -> dict[str, str]:
    """The header with a token."""
    return {"authorization": f"Bearer {Tokens(key, audience=audience).sign(WHO, ttl_seconds=ttl_seconds)}"}


HEADERS = {
    "none": {},
    "no bearer": {"authorization": "Basic eDp5"},
    "nonsense": {"authorization": "Bearer nonsense"},
    "of another key": shown(b"x" * 32),
    "a badge": shown(audience="cairn-badge"),
    "expired": shown(ttl_seconds=-60),
}


class Route(NamedTuple):
    """One thing that can be asked of a service."""

    service: str
    method: str
    path: str


def routes() -> Iterator[Route]:
    for service, app in DOORS.items():
        with warnings.catch_warnings(action="ignore"):  # of names in a document that nobody reads
            paths = app.openapi()["paths"]
        for path, methods in paths.items():
            for method in sorted(methods):
                yield Route(service, method.upper(), path)


def test_every_service_has_routes() -> None:
    assert {route.service for route in routes()} == DOORS.keys()
    assert {route.method for route in routes()} >= {"GET", "HEAD", "POST"}


@pytest.mark.parametrize("route", list(routes()), ids=" ".join)
@pytest.mark.parametrize("headers", HEADERS)
async def test_nothing_is_answered_without_a_token_of_cairn_s_own(route: Route, headers: str) -> None:
    transport = httpx.ASGITransport(DOORS[route.service])
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as http:
        path = re.sub(r"{\w+}", "x", route.path)
        answer = await http.request(route.method, path, headers=HEADERS[headers], json={})
    assert answer.status_code == 401, answer.text
