"""A connector at work, in this process or in processes of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from connector.app import open_app
from fastapi import FastAPI

from tests.integration.connector.worker_fixture import WorkerFixture, open_ground
from tests.support.environment import Corner


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ground(
    corner: Corner, tmp_path_factory: pytest.TempPathFactory, restic: Path
) -> AsyncIterator[WorkerFixture]:
    """Neighbours shared by a module."""
    async with open_ground(corner, tmp_path_factory.mktemp("ground"), restic) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def app(ground: WorkerFixture) -> AsyncIterator[FastAPI]:
    """A worker in this process."""
    async with open_app(ground.settings()) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def http(ground: WorkerFixture, app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Its door to HTTP."""
    async with ground.http(app=app) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session")
async def fresh_ground(fresh_corner: Corner, tmp_path: Path, restic: Path) -> AsyncIterator[WorkerFixture]:
    """Neighbours of one test's own, for tests in which workers die."""
    async with open_ground(fresh_corner, tmp_path, restic) as opened:
        yield opened
