"""What a save makes of an aggregate: one decision for every kind of store."""

from dataclasses import dataclass, field
from typing import Any, Generic

from contracts.envelope import Envelope
from contracts.messages.base import Message
from contracts.messages.outcomes import CommandOutcome, Problem

from chassis.messaging.envelopes import accepted, envelope, is_command, rejected
from chassis.persistence.aggregates import Aggregate, AlreadyHandled, Change, Result, V
from chassis.persistence.mongo import Document
from chassis.persistence.outbox import entry_to_envelope, envelope_to_entry

SEEN_KEPT = 64


@dataclass(frozen=True)
class Revision(Generic[V]):
    """An aggregate after a change, and its messages in the order in which they are sent: events, then the outcome."""

    number: int
    value: V | None
    messages: list[Envelope[Message]]
    seen: list[Document] = field(default_factory=list)


def next_revision(aggregate: Aggregate[V], change: Change[V], *, service: str) -> Revision[V]:
    """The revision that a change leads to. It remembers the cause as handled, with its outcome if it is a command."""
    cause = change.cause or change.following
    messages: list[Envelope[Message]] = [envelope(e, service=service, cause=cause) for e in change.events]
    number, seen = aggregate.revision + 1, list(aggregate.seen)
    if change.cause is None:
        return Revision(number, change.value, messages, seen)
    remembered: Document = {"source": change.cause.source, "id": change.cause.id}
    if is_command(change.cause) and not change.partial:
        outcome = _outcome(change.cause, change.result or {}, service)
        messages.append(outcome)
        # Sent again as it is when the command comes again, so that its sender never hears two different answers.
        remembered["outcome"] = envelope_to_entry(outcome, kind="outcome", aggregate_id=aggregate.id, revision=0)
    # A document must not grow for ever. A message comes again after a kill or a lost acknowledgement, soon after it
    # came first, so that the latest are enough.
    return Revision(number, change.value, messages, [*seen, remembered][-SEEN_KEPT:])


def raise_if_handled(aggregate: Aggregate[Any], cause: Envelope[Message] | None) -> None:
    """Raise `AlreadyHandled` when the aggregate remembers the message."""
    if cause is None:
        return
    for seen in aggregate.seen:
        if (seen["source"], seen["id"]) == cause.identity:
            raise AlreadyHandled(entry_to_envelope(seen["outcome"]) if seen.get("outcome") else None)  # type: ignore[arg-type]


def _outcome(cause: Envelope[Message], result: Result, service: str) -> Envelope[CommandOutcome]:
    if isinstance(result, Problem):
        return rejected(cause, result, service=service)
    return accepted(cause, result, service=service)
