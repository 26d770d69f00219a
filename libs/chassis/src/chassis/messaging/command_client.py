"""Sends a command and waits for its outcome."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from contracts.envelope import Envelope
from contracts.messages.base import Command, Message
from contracts.messages.outcomes import CommandOutcome
from contracts.topics import OUTCOMES
from pydantic import JsonValue

from chassis.errors import Unavailable
from chassis.http.problems import to_error
from chassis.messaging.consumer import Consumer
from chassis.messaging.dispatcher import Dispatcher
from chassis.messaging.envelopes import envelope
from chassis.messaging.publisher import MessageTooLarge, Publisher
from chassis.messaging.subscription import Subscription, subscribe, subscribed
from chassis.runtime.deadlines import Deadline, at_most, current_deadline
from chassis.runtime.settings import CommonSettings
from chassis.runtime.supervision import LoopSupervisor
from chassis.telemetry.tracing import span


class StillRunning(Exception):
    """No outcome came in time. `command` can be sent again, which changes nothing but brings its outcome.

    `taken` tells whether Kafka is known to have it. If not, it must be sent again; it may arrive all the same.
    """

    def __init__(self, command: Envelope[Message], *, taken: bool) -> None:
        super().__init__(command.id)
        self.command = command
        self.taken = taken


_UNFINISHED = (
    "The request was not finished in time: a part of it may be done already. Repeat it with its Idempotency-Key, and it"
    " goes on where it ended; nothing is done twice."
)
Notice = Callable[[], None]


def _nothing() -> None:
    pass


@dataclass
class _Waiting:
    outcome: asyncio.Future[CommandOutcome] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    waiters: int = 0


class Commands:
    """Sends commands of one process; every process hears all outcomes and keeps those it waits for."""

    def __init__(self, publisher: Publisher, *, service: str, timeout_seconds: float) -> None:
        self._publisher = publisher
        self._service = service
        self._timeout = timeout_seconds
        self._waiting: dict[str, _Waiting] = {}

    async def carry_out(
        self,
        command: Command,
        *,
        command_id: str | None = None,
        correlation_id: str | None = None,
        timeout_seconds: float | None = None,
    ) -> dict[str, JsonValue]:
        """Send a command and return its result.

        It is the only command of its request or the last one: of those before see `carry_out_part` and `prepare`.
        Raises the error its rejection stands for, `StillRunning` when no outcome came in time or before the deadline of
        the request is near, and `Unavailable` when Kafka did not take it. The same `command_id` again changes nothing
        the second time. All that follows carries `correlation_id`; without one, the command's own id.
        """
        with span(f"command {type(command).__name__}"):
            made = envelope(command, service=self._service, message_id=command_id, correlation_id=correlation_id)
            # Work that no request waits for has no deadline: this one takes the notes, and limits nothing.
            deadline = current_deadline() or Deadline(0)
            outcome = await self._outcome(made, timeout_seconds or self._timeout, deadline)
            result = _result(outcome)
            deadline.accepted = made
            return result

    async def carry_out_part(self, command: Command, *, command_id: str, correlation_id: str) -> dict[str, JsonValue]:
        """Carry out a command that others of the same request follow, so that its outcome does not end the request.

        Raises like `carry_out`, but `Unavailable` (`request_unfinished`) in place of `StillRunning`: an operation would
        say that all is done when this command is.
        """
        with span(f"command {type(command).__name__}"), _in_time():
            made = envelope(command, service=self._service, message_id=command_id, correlation_id=correlation_id)
            deadline = current_deadline() or Deadline(0)
            result = _result(await self._outcome(made, self._timeout, deadline))
            deadline.parts_done += 1
            return result

    async def hand_over(self, command: Command, *, command_id: str, correlation_id: str) -> None:
        """Send a command that changes nothing by itself; return once the broker has it, without its outcome.

        The request's last command follows on the same key, and is refused when this one was not carried out. Raises
        `Unavailable` when the broker does not take it before the deadline of the request is near.
        """
        made = envelope(command, service=self._service, message_id=command_id, correlation_id=correlation_id)
        try:
            async with at_most(self._timeout):
                await self._publisher.send(made)
        except TimeoutError:
            raise Unavailable("request_unfinished", _UNFINISHED) from None

    async def prepare(self, command: Command, *, correlation_id: str) -> dict[str, JsonValue]:
        """Carry out a command that only makes way for the others of its request, and changes nothing without them.

        Raises like `carry_out_part`. It is sent under a new id each time, so it must be safe to repeat.
        """
        with span(f"command {type(command).__name__}"), _in_time():
            made = envelope(command, service=self._service, correlation_id=correlation_id)
            return _result(await self._send(made, self._timeout))

    async def _outcome(self, command: Envelope[Message], timeout_seconds: float, deadline: Deadline) -> CommandOutcome:
        """What became of a command; until that is heard, it is the open one of its request."""
        deadline.open_command = command
        try:
            outcome = await self._send(command, timeout_seconds)
        # Kafka will never take it, so that nothing of this request is open.
        except MessageTooLarge:
            deadline.open_command = None
            raise
        deadline.open_command = None
        return outcome

    async def send(
        self, command: Envelope[Message], *, timeout_seconds: float | None = None, on_taken: Notice = _nothing
    ) -> CommandOutcome:
        """Send a command that is wrapped already; what became of it, a rejection too. Several may wait for one command.

        `on_taken` is called once Kafka has it. Raises only when no outcome was heard: `StillRunning`, and `Unavailable`
        when Kafka did not take the command.
        """
        with span(f"command {type(command.data).__name__}"):
            return await self._send(command, timeout_seconds or self._timeout, on_taken)

    async def _send(
        self, command: Envelope[Message], timeout_seconds: float, on_taken: Notice = _nothing
    ) -> CommandOutcome:
        # Before it is sent: the outcome may be heard before Kafka has confirmed the command.
        waiting = self._waiting.setdefault(command.id, _Waiting())
        waiting.waiters += 1
        taken = False
        try:
            async with at_most(timeout_seconds):
                await self._publisher.send(command)
                taken = True
                on_taken()
                # Several may wait for one outcome: whoever gives up must not cancel it for the others.
                return await asyncio.shield(waiting.outcome)
        except TimeoutError:
            raise StillRunning(command, taken=taken) from None
        finally:
            waiting.waiters -= 1
            if not waiting.waiters:
                self._waiting.pop(command.id, None)

    async def heard(self, outcome: Envelope[CommandOutcome]) -> None:
        """Take an outcome from Kafka."""
        waiting = self._waiting.get(outcome.data.command_id)
        # Kafka delivers at least once, and most outcomes are those of other processes.
        if waiting is not None and not waiting.outcome.done():
            waiting.outcome.set_result(outcome.data)


@contextmanager
def _in_time() -> Iterator[None]:
    """Have a request end where the outcome of a command does not come that others would have followed."""
    try:
        yield
    except StillRunning as error:
        raise Unavailable("request_unfinished", _UNFINISHED) from error


def _result(outcome: CommandOutcome) -> dict[str, JsonValue]:
    if outcome.accepted:
        return outcome.result
    if outcome.problem is None:
        raise ValueError("a rejected command has no problem")
    raise to_error(outcome.problem)


@asynccontextmanager
async def open_commands(
    settings: CommonSettings, publisher: Publisher, *, service: str, background: LoopSupervisor | None = None
) -> AsyncIterator[Commands]:
    """Commands of this process, listening for outcomes from now on."""
    commands = Commands(publisher, service=service, timeout_seconds=settings.outcome_timeout_seconds)
    dispatcher = Dispatcher(service, publisher)
    dispatcher.on(CommandOutcome, commands.heard)
    consumer = Consumer(dispatcher, publisher, group=f"{service}-outcomes")

    def build() -> Subscription:
        return subscribe(settings, consumer, service=service, topics=[OUTCOMES])

    async with subscribed(background or LoopSupervisor(), "outcomes", build):
        yield commands
