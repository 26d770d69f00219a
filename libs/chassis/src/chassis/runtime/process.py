"""Runs a process: its commands, its signals, its HTTP server."""

import argparse
import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import timedelta
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar, cast

import uvicorn
import uvloop
from contracts.errors import CairnError
from fastapi import FastAPI

from chassis.errors import Unavailable
from chassis.http.connection_limits import ConnectionLimits, most_connections
from chassis.http.connections import Connection
from chassis.http.request_middleware import RequestMiddleware
from chassis.http.texts_in_paths import takes_slashes
from chassis.ids import utc_now
from chassis.messaging.dead_letters import dead_letter_topics, list_dead_letters, resend
from chassis.messaging.publisher import open_publisher
from chassis.persistence.outbox import Outbox
from chassis.runtime.memory_allocator import reuse_memory
from chassis.runtime.settings import CommonSettings
from chassis.telemetry.tracing import telemetry

log = logging.getLogger(__name__)
SWITCH_SECONDS = 0.001
"""For how long a thread that computes keeps the event loop waiting; it asks for its turn several times a request."""
S = TypeVar("S", bound=CommonSettings)
OpenApp = Callable[[S], AbstractAsyncContextManager[FastAPI]]
OpenOutbox = Callable[[S], AbstractAsyncContextManager[Outbox]]


class MoreCommand(NamedTuple, Generic[S]):
    """A command that only one process has: what it is for, its arguments, and what it does."""

    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[S, argparse.Namespace], Awaitable[None]]


NO_MORE: Mapping[str, MoreCommand[Any]] = {}


class _Server(uvicorn.Server):
    """Leaves signals to `Stop`: uvicorn kills its process with them again before what is open around it is closed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class Stop:
    """What SIGTERM and SIGINT do: while the process opens its parts they cancel that, later they end the server."""

    def __init__(self) -> None:
        self._opening = asyncio.current_task()
        self._server: uvicorn.Server | None = None
        self._on_stop: Sequence[Callable[[], None]] = ()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.now)

    def ends(self, server: uvicorn.Server, on_stop: Sequence[Callable[[], None]] = ()) -> None:
        """From now on this server is what is ended; what is called first ends answers that have no end of their own."""
        self._server, self._on_stop = server, on_stop

    def now(self) -> None:
        """Stop."""
        if self._server is not None:
            self._server.should_exit = True
            for end in self._on_stop:
                end()
        elif self._opening is not None:
            self._opening.cancel()


def build_server(
    app: FastAPI, *, host: str, port: int, trusted_proxies: str = "", limits: ConnectionLimits | None = None
) -> uvicorn.Server:
    """The HTTP server of a process, which leaves signals alone; what clients may do to it is bounded.

    Without `limits` it keeps as many connections as its open files allow.
    """
    limits = limits or ConnectionLimits(connections=most_connections())
    config = uvicorn.Config(
        RequestMiddleware(app, app.state.readiness, takes_slashes=takes_slashes(app)),
        http=cast("type[asyncio.Protocol]", partial(Connection, limits=limits)),
        ws="none",
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=trusted_proxies,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=75,
    )
    return _Server(config)


async def serve(settings: CommonSettings, app: FastAPI, stop: Stop) -> None:
    """Answer HTTP until the process is told to stop; requests under way are finished first, within 5 s.

    What `app.state.on_stop` holds is called when it is told to.
    """
    server = build_server(
        app, host=settings.http_host, port=settings.http_port, trusted_proxies=settings.trusted_proxies
    )
    stop.ends(server, getattr(app.state, "on_stop", ()))
    # What is there by now stays: without looking through it each time, the garbage collector stops the process for
    # some milliseconds now and then, not for a tenth of a second.
    gc.collect()
    gc.freeze()
    await server.serve()


def main(
    service: str,
    settings_class: type[S],
    *,
    open_app: OpenApp[S],
    open_outbox: OpenOutbox[S],
    more: Mapping[str, MoreCommand[S]] = NO_MORE,
) -> None:
    """The command line of a process; see `_arguments` for its commands.

    `open_outbox` opens the service's store alone, with its indexes made. `more`: what only this process can do.
    """
    arguments = _arguments(service, more)
    sys.setswitchinterval(SWITCH_SECONDS)
    reuse_memory()
    try:
        settings = settings_class.read()
    except CairnError as error:
        sys.exit(f"{service}: {error.detail}")
    with telemetry(service, settings):
        actions: dict[str, Callable[[], Awaitable[None]]] = {
            "serve": lambda: _serve(settings, open_app),
            "relay": lambda: _relay(settings, open_outbox),
            "migrate": lambda: _migrate(settings, open_outbox),
            "dead-letters": lambda: _dead_letters(settings, arguments),
            **{name: partial(command.run, settings, arguments) for name, command in more.items()},
        }
        try:
            uvloop.run(_awaited(actions[arguments.command]()))
        except asyncio.CancelledError:
            log.info("stopped before it had started")
        except CairnError as error:
            log.error("stopped", extra={"code": error.code, "reason": error.detail})
            sys.exit(1)
        except Exception:
            # Python's own last words would quote the error's text.
            log.exception("stopped by an error nobody foresaw")
            sys.exit(1)


def _arguments(service: str, more: Mapping[str, MoreCommand[S]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=service)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="answer HTTP and handle messages until told to stop")
    commands.add_parser("relay", help="send what the outbox has pending, then end; 1 if some is left")
    commands.add_parser("migrate", help="create the indexes, then end")
    # `parked` is what older versions called it; scripts may still say so.
    letters = commands.add_parser("dead-letters", aliases=["parked"], help="messages that could not be handled")
    letters.set_defaults(command="dead-letters")
    actions = letters.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("list", help="show them, one JSON object a line, oldest first")
    listing.add_argument(
        "--topic", action="append", help="topic they were for; may be repeated; all topics if left out"
    )
    resending = actions.add_parser("resend", help="send them to their topic again, oldest first")
    resending.add_argument("--topic", action="append", required=True)
    for action in (listing, resending):
        action.add_argument("--limit", type=int, default=100, help="at most so many of each topic")
    for name, command in more.items():
        command.add_arguments(commands.add_parser(name, help=command.summary))
    return parser.parse_args()


async def _awaited(action: Awaitable[None]) -> None:
    await action


async def _serve(settings: S, open_app: OpenApp[S]) -> None:
    stop = Stop()
    async with open_app(settings) as app:
        await serve(settings, app, stop)


async def _relay(settings: S, open_outbox: OpenOutbox[S]) -> None:
    async with open_outbox(settings) as outbox:
        while await outbox.sweep(utc_now(), grace=timedelta(0)):
            pass
        if left := await outbox.left():
            raise Unavailable("messages_left", f"Messages of {left} revisions could not be sent; start it again later.")


async def _dead_letters(settings: CommonSettings, arguments: argparse.Namespace) -> None:
    if arguments.action == "list":
        for topic in arguments.topic or await dead_letter_topics(settings):
            for message in await list_dead_letters(settings, topic, limit=arguments.limit):
                sys.stdout.write(message.model_dump_json() + "\n")
        return
    async with open_publisher(settings) as publisher:
        for topic in arguments.topic:
            sent = await resend(settings, publisher, topic, limit=arguments.limit)
            log.info("sent again", extra={"topic": topic, "messages": sent})


async def _migrate(settings: S, open_outbox: OpenOutbox[S]) -> None:
    async with open_outbox(settings):
        log.info("indexes are in place")
