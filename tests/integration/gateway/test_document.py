"""The OpenAPI document describes what happens: schemathesis asks the running gateway, with all of its checks on."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration.gateway.client import Client, log_in
from tests.integration.gateway.conftest import Platform
from tests.integration.gateway.prepared import Prepared, prepare

PROJECT = Path(__file__).parents[3]
CHANGING = {
    "POST /api/v1/connectors/{connector}": "connector",
    "DELETE /api/v1/connectors/{connector}": "connector",
    "PUT /api/v1/connectors/{connector}/roles": "connector",
    "POST /api/v1/inventories/{inv}": "inv",
    "DELETE /api/v1/inventories/{inv}": "inv",
    "POST /api/v1/inventories/{inv}/resources/bulk": "inv",
    "POST /api/v1/inventories/{inv}/resources/{urn_id}": "urn_id",
    "PATCH /api/v1/inventories/{inv}/resources/{urn_id}": "urn_id",
    "DELETE /api/v1/inventories/{inv}/resources/{urn_id}": "urn_id",
    "PATCH /api/v1/inventories/{inv}/resources/{urn_id}/lock": "urn_id",
    **{
        f"{method} /api/v1/account/organizations/{{org}}/{labels}/{{name}}": "name"
        for labels in ("environments", "data_classes")
        for method in ("PATCH", "DELETE")
    },
    **{
        f"{method} /api/v1/{bundles}/{{bundle}}": "bundle"
        for bundles in ("account/organizations/{org}/bundles", "bundles/inventories/{inv}")
        for method in ("PUT", "DELETE")
    },
    "DELETE /api/v1/integrations/installed/{integration}": "integration",
    "POST /api/v1/snapshots/store/{store_id}/prune/run": "store_id",
}
"""Operations that get things which nothing else works on."""
FOUND_IN_BODIES = {
    "origin_id": "source_id",
    "target_id": "store_id",
    "urn_id": "urn_id",
    "chunker_of": "store_id",
    "integration_id": "integration",
}
OFTEN = 0.8
"""How often a parameter is one of what is there; else it is anything."""


@dataclass(frozen=True)
class Examined:
    """What schemathesis is told: where, who, and of what."""

    url: str
    badge: str
    settings: Path

    async def ask(self, *options: str, seconds: float) -> None:
        """Run it; fails with its report when anything is not as the document says, or not within the time."""
        program = shutil.which("schemathesis", path=str(Path(sys.executable).parent)) or "schemathesis"
        command = [program, "--config-file", str(self.settings), "run", f"{self.url}/api/v1/openapi.json"]
        command += ["--header", f"Authorization: Bearer {self.badge}", "--checks", "all", "--no-color"]
        # It answers until the client hangs up: `test_stream.py` holds what it says against the document.
        command += ["--exclude-path", "/api/v1/stream"]
        command += ["--generation-database", "none", "--request-timeout", "40", "--continue-on-failure", *options]
        environ = {**os.environ, "PYTHONPATH": str(PROJECT), "NO_PROXY": "*"}
        run = partial(
            subprocess.run, command, env=environ, cwd=self.settings.parent, capture_output=True, text=True,
            timeout=seconds, check=False,
        )  # fmt: skip
        try:
            done = await asyncio.to_thread(run)
        except subprocess.TimeoutExpired as late:
            told = late.stdout.decode(errors="replace") if isinstance(late.stdout, bytes) else late.stdout or ""
            pytest.fail(f"not done within {seconds} s: {told[-20_000:]}")
        assert done.returncode == 0, done.stdout[-20_000:] + done.stderr


def settings_for(prepared: Prepared) -> str:
    """Its configuration: ids of what is there, and which answers are no fault."""
    values = {**prepared.ids, **{f"spare_{name}": ids for name, ids in prepared.removable.items()}}
    values["path"] = ["/", "/docs", "/docs/letter.txt", "/big.bin"]
    # 413: a schema bounds how many paths there are and how long each is, not how long all of them are together.
    lines = [
        'hooks = "tests.support.document_checks"',
        "[checks.positive_data_acceptance]",
        'expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "412", "413", "416", "422", "429", "5xx"]',
        "[checks.negative_data_rejection]",
        'expected-statuses = ["4xx"]',
        *(f"[dictionaries.{name}]\nvalues = {ids}" for name, ids in values.items()),
        "[parameters]",
        *(_one_of(f"path.{name}", name) for name in prepared.ids),
        *(_one_of(f"body.{name}", source) for name, source in FOUND_IN_BODIES.items()),
        _one_of("query.path", "path"),
    ]
    for operation, name in CHANGING.items():
        lines += ["[[operations]]", f'include-name = "{operation}"', "[operations.parameters]"]
        lines += [_one_of(f"path.{name}", f"spare_{name}")]
    return "\n".join(lines)


def _one_of(parameter: str, dictionary: str) -> str:
    return f'"{parameter}" = {{ dictionary = "{dictionary}", probability = {OFTEN} }}'


@pytest_asyncio.fixture(loop_scope="session")
async def examined(platform: Platform, api: Client, tmp_path: Path) -> AsyncIterator[Examined]:
    """An organization in which every operation has something to work on."""
    prepared = await prepare(api, platform.files / tmp_path.name)
    (settings := tmp_path / "schemathesis.toml").write_text(settings_for(prepared))
    async with log_in(platform.url, platform.credentials) as fresh:
        badge = fresh.http.headers["authorization"].removeprefix("Bearer ")
    yield Examined(platform.url, badge, settings)
    for integration in (await api.get("/integrations/catalog"))["items"]:
        # Others, who share the organization, need those that were uninstalled.
        await api.post("/integrations/installed", {"name": integration["name"]})


@pytest.mark.timeout(1000)
async def test_document_describes_what_happens(examined: Examined) -> None:
    """The same cases each time: what is at a limit, what is missing, and a few of any kind for each operation."""
    await examined.ask("--seed", "8", "--max-examples", "3", "--no-shrink", seconds=900)


@pytest.mark.long
@pytest.mark.timeout(1500)
async def test_document_describes_what_happens_for_long(examined: Examined) -> None:
    """Other cases each time, for a quarter of an hour."""
    seed = os.environ.get("CAIRN_FUZZ_SEED", "1")
    await examined.ask("--seed", seed, "--max-examples", "100", "--max-time", "900", seconds=1400)
