"""Which parts the gateway needs to be ready."""

from types import SimpleNamespace
from typing import cast

import httpx
import pytest
from chassis.http.health_routes import install_health
from fastapi import FastAPI
from gateway.clients.service_clients import readiness_checks
from gateway.settings import Settings

from tests.unit.gateway.services import AnsweringHttp

SERVICES = ("catalog", "assignment", "scheduler", "restore_index", "connector")


def settings() -> Settings:
    urls = {f"url_{name}": f"http://{name.replace('_', '-')}" for name in SERVICES}
    pools = {"branch": "http://branch", "attic": "http://attic"}
    return cast("Settings", SimpleNamespace(**urls, url_connector_pools=pools))


@pytest.mark.parametrize(
    ("down", "status", "failed"),
    [
        ((), 200, set()),
        (("branch",), 200, {"connector branch"}),
        (("branch", "attic"), 200, {"connector branch", "connector attic"}),
        (("connector",), 503, {"connector"}),
        (("connector", "attic"), 503, {"connector", "connector attic"}),
    ],
)
async def test_a_pool_that_is_down_is_reported_and_the_gateway_stays_ready(
    down: tuple[str, ...], status: int, failed: set[str]
) -> None:
    http = AnsweringHttp(lambda request: httpx.Response(503 if request.url.host in down else 200))
    app = FastAPI()
    install_health(app, readiness_checks(settings(), http), public=True)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (status, "ok" if status == 200 else "failed")
    assert set(answer.json()["failed"]) == failed
