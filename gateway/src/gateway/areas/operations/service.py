"""Operations: commands whose outcome did not come while the client waited."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from chassis.errors import Unavailable
from chassis.http.problems import unexpected
from chassis.ids import utc_now
from chassis.messaging.command_client import Commands, StillRunning
from chassis.persistence.mongo import PyMongoError
from chassis.runtime.deadlines import under
from chassis.runtime.supervision import LoopSupervisor, begin
from contracts.envelope import Envelope
from contracts.errors import CairnError, NotFound
from contracts.messages.base import Message
from contracts.messages.outcomes import CommandOutcome
from contracts.messages.scheduler import RunTask
from contracts.values import OrganizationId

from gateway.access.principal import Principal
from gateway.areas.operations.store import End, OperationStore

log = logging.getLogger(__name__)
POLL_SECONDS = 2.0
LISTEN_SECONDS = 1800.0
FORGET_EVERY_SECONDS = 3600.0
KEEP_SECONDS = 1.0
SEND_EVERY_SECONDS = 5.0
_NOT_KEPT = (
    "The request could not be kept for certain. Try again later; what was sent may still be carried out."
    " With the same Idempotency-Key it is not done twice."
)


@dataclass(frozen=True)
class Operation:
    """An operation as a client polls it; `end` None while it runs."""

    id: str
    command: Message
    end: End | None = None


class Operations:
    """Waits for outcomes in the background. After a restart the first poll sends the command again, which is safe.

    What Kafka did not take is kept in the database and sent when Kafka takes it, by this process or another one.
    """

    def __init__(self, store: OperationStore, commands: Commands, *, keep_seconds: float = KEEP_SECONDS) -> None:
        self._store = store
        self._keep_seconds = keep_seconds
        self._commands = commands
        self._waiting: dict[str, asyncio.Task[None]] = {}
        self._keeping: dict[str, tuple[Envelope[Message], asyncio.Task[None]]] = {}
        self._unsent: set[str] = set()
        self._noting: set[asyncio.Task[None]] = set()

    async def begin(self, command: Envelope[Message], *, taken: bool) -> Operation:
        """Keep a command and go on listening for its outcome.

        What Kafka has taken cannot be lost; it is kept as soon as the database lets it. Raises `Unavailable`
        (`command_not_kept`) when neither is known to have it: then it may still be carried out, if Kafka gets it.
        """
        keeping = begin("keeping of an operation", self._keep(command, taken=taken), foreseen=(PyMongoError,))
        self._keeping[command.id] = command, keeping
        keeping.add_done_callback(lambda _: self._keeping.pop(command.id, None))
        await asyncio.wait({keeping}, timeout=self._keep_seconds)
        # Neither Kafka nor the database is known to have it, so nobody can promise that it is carried out.
        if not taken and not (keeping.done() and keeping.exception() is None):
            keeping.cancel()
            raise Unavailable("command_not_kept", _NOT_KEPT)
        self._listen(command)
        return Operation(command.id, command.data)

    async def _keep(self, command: Envelope[Message], *, taken: bool) -> None:
        """Keep a command; one that is on its way already until that has succeeded."""
        while True:
            try:
                await self._store.begin(command, taken=taken)
            except PyMongoError as error:
                if not taken:
                    raise
                log.warning("operation not kept yet", extra={"operation": command.id, "reason": type(error).__name__})
            else:
                if not taken:
                    self._unsent.add(command.id)
                return
            await asyncio.sleep(self._keep_seconds)

    async def poll(self, who: Principal, operation_id: str) -> Operation:
        """How an operation stands; waits up to `POLL_SECONDS` for its end. Raises `NotFound`."""
        org = who.organization_id
        # Until its document is written only this process knows an operation.
        command = self._being_kept(org, operation_id) or await self._store.command(org, operation_id)
        if command is None:
            raise NotFound("operation_not_found", "There is no such operation.")
        end = await self._store.ended(org, operation_id)
        if end is None:
            await asyncio.wait([self._listen(command)], timeout=POLL_SECONDS)
            end = await self._store.ended(org, operation_id)
        return Operation(operation_id, command.data, end)

    async def of_run(self, who: Principal, run_id: str) -> Operation | None:
        """How the operation that starts a run stands, without waiting for its end; None where there is none."""
        org = who.organization_id
        command = self._being_started(org, run_id) or await self._store.of_run(org, run_id)
        if command is None:
            return None
        end = await self._store.ended(org, command.id)
        if end is None:
            self._listen(command)
        return Operation(command.id, command.data, end)

    def _being_started(self, org: OrganizationId, run_id: str) -> Envelope[Message] | None:
        kept = (command for command, _ in self._keeping.values() if command.data.organization_id == org)
        return next((each for each in kept if isinstance(each.data, RunTask) and each.data.run_id == run_id), None)

    def _being_kept(self, org: OrganizationId, operation_id: str) -> Envelope[Message] | None:
        command, _ = self._keeping.get(operation_id, (None, None))
        return command if command is not None and command.data.organization_id == org else None

    def _listen(self, command: Envelope[Message]) -> asyncio.Task[None]:
        # One listener for each command, however many clients poll.
        task = self._waiting.get(command.id)
        if task is None:
            task = self._waiting[command.id] = begin("wait for an outcome", self._wait_for(command))
            task.add_done_callback(lambda _: self._waiting.pop(command.id, None))
        return task

    async def _wait_for(self, command: Envelope[Message]) -> None:
        try:
            # Without the deadline of the request that began it, which is over.
            with under(None):
                outcome = await self._commands.send(
                    command, timeout_seconds=LISTEN_SECONDS, on_taken=lambda: self._taken(command)
                )
            await self._store.end(command.data.organization_id, command.id, _end_of(outcome))
        # The next poll sends the command again, which brings the saved outcome (0004).
        except StillRunning:
            return
        except CairnError as error:
            log.warning("no outcome of an operation", extra={"operation": command.id, "code": error.code})
        except PyMongoError as error:
            log.warning("end not kept", extra={"operation": command.id, "reason": type(error).__name__})

    def _taken(self, command: Envelope[Message]) -> None:
        if command.id in self._unsent:
            noting = begin("note of a sent command", self._note_sent(command))
            self._noting.add(noting)
            noting.add_done_callback(self._noting.discard)

    async def _note_sent(self, command: Envelope[Message]) -> None:
        try:
            await self._store.sent(command)
        except PyMongoError as error:
            log.warning("command will be sent again", extra={"operation": command.id, "reason": type(error).__name__})
        else:
            self._unsent.discard(command.id)

    @asynccontextmanager
    async def running(self, background: LoopSupervisor) -> AsyncIterator["Operations"]:
        """Send what is unsent and forget old ones now and then; at the end stop listening."""
        async with (
            background.running("unsent commands", self._send_forever),
            background.running("old operations", self._forget_forever),
        ):
            try:
                yield self
            finally:
                tasks = [*self._waiting.values(), *self._noting, *(task for _, task in self._keeping.values())]
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _send_forever(self) -> None:
        while True:
            try:
                await self.send_unsent()
            except PyMongoError as error:
                log.warning("unsent commands not looked for", extra={"reason": type(error).__name__})
            await asyncio.sleep(SEND_EVERY_SECONDS)

    async def send_unsent(self) -> None:
        """Send what Kafka did not take before, and listen for what becomes of it."""
        for command in await self._store.unsent():
            self._unsent.add(command.id)
            self._listen(command)

    async def _forget_forever(self) -> None:
        while True:
            try:
                await self._store.forget(utc_now())
            except PyMongoError as error:
                log.warning("old operations not forgotten", extra={"reason": type(error).__name__})
            await asyncio.sleep(FORGET_EVERY_SECONDS)


def _end_of(outcome: CommandOutcome) -> End:
    return End(result=outcome.result) if outcome.accepted else End(problem=outcome.problem or unexpected())
