"""What becomes of labels, whatever carries them."""

import logging
from collections.abc import Sequence
from typing import Protocol

from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.envelope import Envelope
from contracts.messages.base import Event
from contracts.messages.classification import LabelRename, LabelRenamed
from contracts.queries.classification import LabelUse
from contracts.values import OrganizationId

from assignment.labels import domain
from assignment.labels.domain import KnownRenames
from assignment.labels.store import LabelStore

log = logging.getLogger(__name__)


class LabelHolder(Protocol):
    """A kind of things that carry labels, e.g. apps. The areas that have some offer one; `app.py` brings them here.

    Each thing of the kind also looks for renames by itself: when it was described, after it was saved. One that is
    described while a label is renamed is then among the `carriers`, or finds the rename.
    """

    async def carriers(self, org: OrganizationId, rename: LabelRename) -> Sequence[Event]:
        """A message to each that carries the old label, to be handled in its own order."""
        ...

    async def uses(self, org: OrganizationId) -> Sequence[LabelUse]:
        """How often labels are used; a label may come several times."""
        ...


async def note_rename(store: LabelStore, holders: Sequence[LabelHolder], event: Envelope[LabelRenamed]) -> None:
    """Remember that a label was renamed, then send a message to each that carries it."""
    org = event.data.organization_id
    with span("assignment.note_rename", attributes={semconv.ORGANIZATION: org}):
        aggregate = await store.renames.load(org, org, cause=event)
        known = aggregate.value or KnownRenames()
        # Saved before those who carry the label are looked up; see `LabelHolder`. Without the cause, so that a process
        # that dies before the last save does both again.
        if noted := domain.note_rename(known, event.data, at=event.time):
            known, aggregate = noted, await store.renames.save(aggregate, noted)
        rename = known.rename_of(event.data.revision)
        told = [message for holder in holders for message in await holder.carriers(org, rename)] if rename else []
        # A document holds only so many messages at a time. Those of a portion that was sent come again if the process
        # dies, and change nothing the second time.
        first, last = _portions(told, store.messages_at_once)
        for portion in first:
            aggregate = await store.renames.save(aggregate, known, events=portion)
        await store.renames.save(aggregate, known, events=last, cause=event)
        log.info("label renamed", extra={"organization_id": org, "kind": event.data.kind, "carriers": len(told)})


async def count_labels(holders: Sequence[LabelHolder], org: OrganizationId) -> list[LabelUse]:
    """How often each label is used, by kind and name."""
    with span("assignment.count_labels", attributes={semconv.ORGANIZATION: org}):
        return domain.summed([use for holder in holders for use in await holder.uses(org)])


def _portions(messages: Sequence[Event], size: int) -> tuple[list[Sequence[Event]], Sequence[Event]]:
    """All but the last portion, and the last one, which may be empty."""
    portions = [messages[start : start + size] for start in range(0, len(messages), size)]
    return portions[:-1], portions[-1] if portions else ()
