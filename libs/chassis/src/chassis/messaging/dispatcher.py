"""Which handler gets which message, and what its errors mean for a command."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from contracts.envelope import Envelope
from contracts.errors import CairnError, TemporaryError
from contracts.messages.base import Message

from chassis.errors import Unanswered, Unavailable
from chassis.http.problems import to_problem, unexpected
from chassis.messaging.envelopes import is_command, rejected
from chassis.messaging.publisher import Publisher
from chassis.messaging.rejected_commands import RejectedCommands
from chassis.persistence.aggregates import AlreadyHandled
from chassis.persistence.mongo import PyMongoError

log = logging.getLogger(__name__)
M = TypeVar("M", bound=Message)
Handler = Callable[[Envelope[Any]], Awaitable[None]]


class Dispatcher:
    """A table of handlers by message class."""

    def __init__(self, service: str, publisher: Publisher, rejected_commands: RejectedCommands | None = None) -> None:
        self._service = service
        self._publisher = publisher
        self._rejected_commands = rejected_commands
        self._handlers: dict[type[Message], Handler] = {}

    def on(self, message: type[M], handler: Callable[[Envelope[M]], Awaitable[None]]) -> None:
        """Send messages of exactly this class to `handler`. Registering a class twice is a mistake of the caller."""
        if message in self._handlers:
            raise ValueError(f"{message.__name__} has a handler already")
        self._handlers[message] = handler

    def handles(self, message: type[Message]) -> bool:
        """Whether there is a handler for the class."""
        return message in self._handlers

    async def dispatch(self, envelope: Envelope[Message]) -> None:
        """Handle one message.

        A repeated command gets its first outcome again; a command that fails for good is rejected. Raises
        `TemporaryError` for any message, and `PermanentError` for an event, whose fate the consumer decides.
        """
        # Before the handler, which might accept by now what was rejected: its sender would hear two outcomes.
        if await self._rejected_before(envelope):
            return
        try:
            await self._handlers[type(envelope.data)](envelope)
        except AlreadyHandled as repeat:
            await self._answer(repeat.outcome)
        # The consumer tries these again, for a command as for an event.
        except (TemporaryError, PyMongoError):
            raise
        except Exception as error:
            if not is_command(envelope):
                raise
            await self.reject(envelope, error)

    async def reject(self, command: Envelope[Message], error: Exception) -> None:
        """Keep and publish that a command is rejected; if it was before, with the words of then.

        Raises `Unanswered` when it was kept and Kafka did not take it.
        """
        known = isinstance(error, CairnError)
        problem = to_problem(error) if isinstance(error, CairnError) else unexpected()
        log.log(
            logging.INFO if known else logging.ERROR,
            "command rejected",
            extra={"command": command.type, "command_id": command.id, "code": problem.code},
            exc_info=None if known else error,
        )
        outcome: Envelope[Any] = rejected(command, problem, service=self._service)
        if self._rejected_commands is not None:
            outcome = await self._rejected_commands.remember(command, outcome)
        await self._answer(outcome)

    async def _answer(self, outcome: Envelope[Any] | None) -> None:
        try:
            if outcome is not None:
                await self._publisher.send(outcome)
        except Unavailable as error:
            raise Unanswered(error.code, error.detail) from error

    async def _rejected_before(self, command: Envelope[Message]) -> bool:
        if self._rejected_commands is None or not is_command(command):
            return False
        outcome = await self._rejected_commands.outcome_of(command)
        await self._answer(outcome)
        return outcome is not None
