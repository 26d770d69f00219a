"""What a service of commands and reads consists of, and how its parts are opened: the same way in every service."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from fastapi import FastAPI

from chassis.http.tokens import Tokens
from chassis.messaging.dispatcher import Dispatcher
from chassis.persistence.outbox import Outbox
from chassis.runtime.health import Check
from chassis.runtime.process import main
from chassis.runtime.service_runtime import ServiceRuntime, handling, open_service_runtime
from chassis.runtime.settings import CommonSettings, read_key

SettingsT = TypeVar("SettingsT", bound=CommonSettings)
StoreT = TypeVar("StoreT")
StoreT_contra = TypeVar("StoreT_contra", contravariant=True)


class BuildApi(Protocol[StoreT_contra]):
    """Builds the internal HTTP API of a service."""

    def __call__(self, store: StoreT_contra, tokens: Tokens, *, checks: Mapping[str, Check]) -> FastAPI:
        """The API, which asks `checks` whether it is ready."""
        ...


def _no_background(*_: Any) -> AbstractAsyncContextManager[None]:
    return nullcontext()


@dataclass(frozen=True)
class ServiceDefinition(Generic[SettingsT, StoreT]):
    """The parts in which a service differs from the others."""

    name: str
    settings: type[SettingsT]
    open_store: Callable[[ServiceRuntime, SettingsT], Awaitable[StoreT]]
    """Opens the store, with its indexes made."""
    register_handlers: Callable[[Dispatcher, StoreT, SettingsT], Dispatcher]
    build_api: BuildApi[StoreT]
    listens_to: tuple[str, ...]
    announces: tuple[str, ...]
    run_background: Callable[[ServiceRuntime, StoreT, SettingsT], AbstractAsyncContextManager[None]] = _no_background
    """Runs what the service does without being asked, for as long as the context is open."""

    @asynccontextmanager
    async def open_outbox(self, settings: SettingsT) -> AsyncIterator[Outbox]:
        """The pending messages of the service, with all indexes made. Handles no message."""
        async with open_service_runtime(settings, self.name) as runtime:
            await self.open_store(runtime, settings)
            yield runtime.outbox

    @asynccontextmanager
    async def open_app(self, settings: SettingsT) -> AsyncIterator[FastAPI]:
        """The running service: it handles its messages, and the API it yields answers reads."""
        # First of all: without the key nothing may start, and the error names the file.
        tokens = Tokens(read_key(settings.service_key_file), audience="cairn-internal")
        async with open_service_runtime(settings, self.name) as runtime:
            store = await self.open_store(runtime, settings)
            dispatcher = self.register_handlers(runtime.dispatcher(), store, settings)
            async with (
                handling(runtime, dispatcher, topics=self.listens_to, announces=self.announces),
                self.run_background(runtime, store, settings),
            ):
                yield self.build_api(store, tokens, checks=runtime.checks())

    def main(self) -> None:
        """The command line of the service: `serve`, `relay`, `migrate`, `dead-letters`."""
        main(self.name, self.settings, open_app=self.open_app, open_outbox=self.open_outbox)
