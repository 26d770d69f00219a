"""What strangers send to the doors of running processes: too much, or not all of it."""

import asyncio
import json
from contextlib import suppress

import pytest

from tests.integration.gateway.conftest import Platform

PIECE = b"x" * 65_536
DOORS = ("gateway", "catalog")


async def told(reader: asyncio.StreamReader) -> tuple[int, str]:
    """Status and code of a problem; the connection ends with it."""
    content = await asyncio.wait_for(reader.read(), 30)
    head, _, body = content.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    assert b"cache-control: no-store" in head
    return int(head.split()[1]), json.loads(body)["code"]


@pytest.mark.parametrize("door", DOORS)
async def test_large_address_is_a_problem(platform: Platform, door: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", platform.ports[door])
    writer.write(b"GET /api/v1/search?cursor=" + PIECE * 2 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await told(reader) == (414, "address_too_long")
    writer.close()


async def test_half_a_request_is_given_up_by_every_door(platform: Platform) -> None:
    async def half(door: str, sent: bytes) -> tuple[int, str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", platform.ports[door])
        writer.write(sent)
        answer = await told(reader)
        writer.close()
        return answer

    begun = asyncio.get_running_loop().time()
    halves = [half(door, b"POST /api/v1/auth/login/apikey HTTP/1.1\r\nHost: x\r\n") for door in DOORS]
    assert await asyncio.gather(*halves) == [(408, "request_timeout")] * 2
    assert asyncio.get_running_loop().time() - begun > 9


async def test_body_of_half_a_gigabyte_is_not_taken(platform: Platform) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", platform.ports["gateway"])
    writer.write(b"POST /api/v1/auth/login/apikey HTTP/1.1\r\nHost: x\r\nContent-Length: 536870912\r\n\r\n")
    sent = 0
    with suppress(ConnectionError):
        while sent < 536_870_912:
            writer.write(PIECE)
            await asyncio.wait_for(writer.drain(), 10)
            sent += len(PIECE)
    assert sent < 64 * 1024 * 1024
    writer.transport.abort()
