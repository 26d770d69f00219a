"""A server in front of an S3 server that lets single objects go wrong, and everything else through as it is."""

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

import aiohttp
from aiohttp import web
from yarl import URL

from tests.support.s3 import S3Server

Fault = Literal["missing", "forbidden", "broken", "cut", "mute"]
"""`cut`: an answer breaks off half-way; `mute`: after its headers, each time."""
_TAG = re.compile(rb"<ETag>.*?</ETag>")
_REFUSED = {"missing": (404, "NoSuchKey"), "forbidden": (403, "AccessDenied"), "broken": (500, "InternalError")}


@dataclass
class Faults:
    """What goes wrong from now on, by bucket and key (`bucket/key`); and what was asked for."""

    of: dict[str, Fault] = field(default_factory=dict)
    gets: list[str] = field(default_factory=list)
    """Objects that were asked for, in order."""
    folders: set[str] = field(default_factory=set)
    """Prefixes that may not be listed as folders, though they are listed with all else."""
    tells_tags: bool = True
    """Whether there are ETags in answers."""
    hosts: set[str] = field(default_factory=set)
    """Names of hosts that were asked for as a proxy is: `bucket.endpoint`."""


@contextmanager
def faulty_s3(server: S3Server) -> Iterator[tuple[S3Server, Faults]]:
    """The server behind the one that goes wrong, and its faults."""
    faults, loop, ready = Faults(), asyncio.new_event_loop(), threading.Event()
    ports: list[int] = []

    async def serve() -> None:
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            runner = web.ServerRunner(web.Server(lambda request: _answer(request, server, faults, session)))
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            ports.append(runner.addresses[0][1])
            ready.set()
            try:
                await asyncio.Event().wait()
            finally:
                await runner.cleanup()

    task = loop.create_task(serve())
    thread = threading.Thread(target=lambda: loop.run_until_complete(asyncio.wait([task])), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield replace(server, port=ports[0]), faults
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(10)
        loop.close()


async def _answer(
    request: web.BaseRequest, server: S3Server, faults: Faults, session: aiohttp.ClientSession
) -> web.StreamResponse:
    raw_path = _in_path_style(request, faults)
    name = unquote(urlsplit(f"//host{raw_path}").path.removeprefix("/"))
    is_object = request.method == "GET" and "list-type" not in request.raw_path
    if is_object:
        faults.gets.append(name)
    fault = faults.of.get(name) if request.method in ("GET", "HEAD") else None
    if fault in _REFUSED and is_object:
        status, code = _REFUSED[fault]
        return web.Response(status=status, text=f"<Error><Code>{code}</Code></Error>", content_type="application/xml")
    asked = parse_qs(urlsplit(f"//host{raw_path}").query)
    if "delimiter" in asked and asked.get("prefix", [""])[0] in faults.folders:
        return web.Response(status=403, text="<Error><Code>AccessDenied</Code></Error>", content_type="application/xml")
    url = URL(f"{server.url}{raw_path}", encoded=True)
    headers = {k: v for k, v in request.headers.items() if k.lower() not in ("transfer-encoding", "host")}
    async with session.request(
        request.method, url, headers=headers, data=await request.read(), allow_redirects=False
    ) as inner:
        body = await inner.read()
        kept = {k: v for k, v in inner.headers.items() if k.lower() not in ("transfer-encoding", "connection", "date")}
        if not faults.tells_tags:
            body = body if is_object else _TAG.sub(b"", body)
            kept = {k: v for k, v in kept.items() if k.lower() not in ("etag", "content-length")}
        response = web.StreamResponse(status=inner.status, headers=kept)
        if request.method != "HEAD":
            response.content_length = len(body)
        await response.prepare(request)
        if fault in ("cut", "mute") and is_object and request.transport is not None:
            await response.write(body[: len(body) // 2] if fault == "cut" else b"")
            request.transport.close()
            return response
        if request.method != "HEAD":
            await response.write(body)
        return response


def _in_path_style(request: web.BaseRequest, faults: Faults) -> str:
    """Path and query; what is asked for as of a proxy, with the bucket in the host's name, as path and query too."""
    if not request.raw_path.startswith("http://"):
        return request.raw_path
    host, slash, rest = request.raw_path.removeprefix("http://").partition("/")
    faults.hosts.add(host)
    return f"/{host.partition('.')[0]}{slash}{rest}"
