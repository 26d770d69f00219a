"""Operations: commands whose outcome did not come while the client waited."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from chassis.errors import CairnError, Invalid, NotFound, PermanentError
from chassis.ids import derived_id, new_id, utc_now
from chassis.mongo import PyMongoError
from chassis.outcomes import Commands, StillRunning
from chassis.problems import unexpected
from contracts.envelope import Envelope
from contracts.messages import Message
from contracts.outcomes import CommandOutcome

from gateway.domain.intents import Intent
from gateway.store.requests import End, RememberedKey, Requests
from gateway.usecases.visitors import Visitor

log = logging.getLogger(__name__)
LONGEST_KEY = 255
POLL_SECONDS = 2.0
LISTEN_SECONDS = 1800.0
FORGET_EVERY_SECONDS = 3600.0


@dataclass(frozen=True)
class Operation:
    """An operation as a client polls it; `end` None while it runs."""

    id: str
    command: Message
    end: End | None = None


class Operations:
    """Waits for outcomes in the background. After a restart the first poll sends the command again, which is safe."""

    def __init__(self, requests: Requests, commands: Commands) -> None:
        self._requests = requests
        self._commands = commands
        self._waiting: dict[str, asyncio.Task[None]] = {}

    async def begin(self, command: Envelope[Message]) -> Operation:
        """Keep a command and go on listening for its outcome."""
        await self._requests.begin(command)
        self._listen(command)
        return Operation(command.id, command.data)

    async def poll(self, who: Visitor, operation_id: str) -> Operation:
        """How an operation stands; waits up to `POLL_SECONDS` for its end. Raises `NotFound`."""
        org = who.organization_id
        command = await self._requests.command(org, operation_id)
        if command is None:
            raise NotFound("operation_not_found", "There is no such operation.")
        end = await self._requests.ended(org, operation_id)
        if end is None:
            await asyncio.wait([self._listen(command)], timeout=POLL_SECONDS)
            end = await self._requests.ended(org, operation_id)
        return Operation(operation_id, command.data, end)

    def _listen(self, command: Envelope[Message]) -> asyncio.Task[None]:
        task = self._waiting.get(command.id)
        if task is None:
            task = self._waiting[command.id] = asyncio.create_task(self._wait_for(command))
            task.add_done_callback(lambda _: self._waiting.pop(command.id, None))
        return task

    async def _wait_for(self, command: Envelope[Message]) -> None:
        try:
            outcome = await self._commands.send(command, timeout_seconds=LISTEN_SECONDS)
        except StillRunning:
            return
        except CairnError as error:
            log.warning("operation not heard of", extra={"operation": command.id, "code": error.code})
            return
        await self._requests.end(command.data.organization_id, command.id, _end_of(outcome))

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Operations"]:
        """Forget old ones now and then; at the end stop listening."""
        forgetting = asyncio.create_task(self._forget_forever())
        try:
            yield self
        finally:
            tasks = [forgetting, *self._waiting.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _forget_forever(self) -> None:
        while True:
            try:
                await self._requests.forget(utc_now())
            except PyMongoError as error:
                log.warning("old requests not forgotten", extra={"reason": type(error).__name__})
            await asyncio.sleep(FORGET_EVERY_SECONDS)


def _end_of(outcome: CommandOutcome) -> End:
    return End(result=outcome.result) if outcome.accepted else End(problem=outcome.problem or unexpected())


async def intent_of(requests: Requests, who: Visitor, *, route: str, key: str | None, fingerprint: str) -> Intent:
    """What a request wants done: something new, or with a key that was used before, the same as then.

    Raises `PermanentError` `idempotency_key_reused` when the key came with another body before.
    """
    if key is None:
        return Intent(new_id())
    if not 0 < len(key) <= LONGEST_KEY:
        raise Invalid("idempotency_key_invalid", f"An Idempotency-Key has 1 to {LONGEST_KEY} characters.")
    claim = derived_id(who.organization_id, route, key)
    found = await requests.remember(who.organization_id, claim, RememberedKey(fingerprint, new_id()))
    if found.fingerprint != fingerprint:
        raise PermanentError(
            "idempotency_key_reused", "This Idempotency-Key was used before for a request with another body."
        )
    return Intent(found.command_id, key)
