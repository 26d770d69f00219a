"""Fixtures of tests that ask a service in this process; their folder has the fixture `app`, the running service."""

from collections.abc import AsyncIterator

import httpx
import pytest_asyncio
from fastapi import FastAPI

from tests.support.door import internal_client
from tests.support.environment import Corner


@pytest_asyncio.fixture(loop_scope="session")
async def http(app: FastAPI, corner: Corner) -> AsyncIterator[httpx.AsyncClient]:
    """Its door to HTTP, opened with a token."""
    async with internal_client(corner.settings(), app) as client:
        yield client
