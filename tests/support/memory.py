"""A service's handlers over memory stores: messages in, messages out, no server."""

from collections.abc import Sequence
from typing import Any

from chassis.messaging.dispatcher import Dispatcher
from contracts.envelope import Envelope
from contracts.messages.base import Message
from contracts.messages.outcomes import CommandOutcome, Problem

from tests.support.builders import wrap


class MemoryDoor:
    """Where messages go in; stores made with `published=door.published` let their messages out here too."""

    def __init__(self, service: str) -> None:
        self.published: list[Envelope[Any]] = []
        self.dispatcher = Dispatcher(service, self)

    async def send(self, envelope: Envelope[Any]) -> None:
        """What the dispatcher publishes by itself: rejected_commands and repeated outcomes."""
        self.published.append(envelope)

    async def send_raw(self, topic: str, **_: Any) -> None:
        """Only consumers make dead letters."""
        raise AssertionError(f"nothing becomes a dead letter here, but {topic} got a message")

    async def hear(self, message: Message | Envelope[Any]) -> None:
        """Handle an event."""
        await self.dispatcher.dispatch(message if isinstance(message, Envelope) else wrap(message))

    async def do(self, command: Message | Envelope[Any]) -> CommandOutcome:
        """Handle a command; its outcome is the last one out. What follows from what it saved may be told after it."""
        told = len(self.published)
        await self.hear(command)
        [outcome] = [each.data for each in self.published[told:] if isinstance(each.data, CommandOutcome)]
        return outcome

    async def rejection(self, command: Message | Envelope[Any]) -> Problem:
        """Handle a command that is rejected."""
        outcome = await self.do(command)
        assert not outcome.accepted
        assert outcome.problem is not None
        return outcome.problem

    def said(self) -> Sequence[type[Message]]:
        """Classes of all messages out, in order."""
        return [type(envelope.data) for envelope in self.published]

    def events(self, wanted: type[Message]) -> list[Any]:
        """All messages out of a class, in order."""
        return [envelope.data for envelope in self.published if type(envelope.data) is wanted]
