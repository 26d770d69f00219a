"""Makes envelopes: sender, cause and trace of a message."""

from typing import cast

from contracts.envelope import Envelope
from contracts.messages.base import Command, Message
from contracts.messages.outcomes import CommandOutcome, Problem
from contracts.values import CommandId
from pydantic import JsonValue

from chassis.ids import derived_id, new_id, utc_now
from chassis.telemetry.tracing import current_trace


def envelope(
    message: Message,
    *,
    service: str,
    cause: Envelope[Message] | None = None,
    message_id: str | None = None,
    correlation_id: str | None = None,
) -> Envelope[Message]:
    """Wrap a message sent by `service`. What follows from `cause` carries its correlation id on.

    What follows from nothing begins one: `correlation_id`, else the message's own id.
    """
    made = message_id or new_id()
    trace = current_trace()
    return Envelope[Message](
        id=made,
        source=f"/cairn/{service}",
        type=message.TYPE,
        subject=message.key,
        time=utc_now(),
        data=message,
        correlation_id=cause.correlation_id if cause else correlation_id or made,
        causation_id=cause.id if cause else None,
        traceparent=trace.traceparent,
        tracestate=trace.tracestate,
    )


def accepted(command: Envelope[Message], result: dict[str, JsonValue], *, service: str) -> Envelope[CommandOutcome]:
    """The outcome of a command that was carried out."""
    return _outcome(command, service, CommandOutcome(**_facts(command), accepted=True, result=result))


def rejected(command: Envelope[Message], problem: Problem, *, service: str) -> Envelope[CommandOutcome]:
    """The outcome of a command that was rejected."""
    return _outcome(command, service, CommandOutcome(**_facts(command), accepted=False, problem=problem))


def _facts(command: Envelope[Message]) -> dict[str, str]:
    return {
        "organization_id": command.data.organization_id,
        "command_id": CommandId(command.id),
        "command_type": command.type,
    }


def _outcome(command: Envelope[Message], service: str, outcome: CommandOutcome) -> Envelope[CommandOutcome]:
    # The same id each time, so that an outcome which is published twice is recognized as the same message.
    made = envelope(outcome, service=service, cause=command, message_id=derived_id(*command.identity, "outcome"))
    return cast("Envelope[CommandOutcome]", made)


def is_command(message: Envelope[Message]) -> bool:
    """Whether somebody waits for an outcome of this message."""
    return isinstance(message.data, Command)
