"""One function per verb: load, decide, save together with the events."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from chassis.persistence.aggregates import Aggregate
from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.envelope import Envelope
from contracts.messages.base import Event
from contracts.messages.classification import (
    AddLabel,
    Classification,
    ClassificationChanged,
    LabelCommand,
    LabelRenamed,
    RemoveLabel,
    RenameLabel,
)
from contracts.queries.classification import UsedClassification
from contracts.values import OrganizationId
from opentelemetry.trace import Span

from catalog.classification import domain
from catalog.classification.store import ClassificationStore

log = logging.getLogger(__name__)
TagSets = Callable[[OrganizationId], Awaitable[Mapping[tuple[str, ...], int]]]
"""Gives how many resources of an organization have each set of tags."""


async def add_label(store: ClassificationStore, command: Envelope[AddLabel]) -> None:
    """Add a label at the end of a list."""
    with _span("catalog.add_label", command.data):
        aggregate, current = await store.load(command.data.organization_id, cause=command)
        await _save(store, aggregate, domain.add_label(current, command.data), cause=command)
    log.info("label added", extra=_ids(command.data))


async def rename_label(store: ClassificationStore, command: Envelope[RenameLabel]) -> None:
    """Give a label another name. Those who carry it hear of it by the event."""
    data = command.data
    with _span("catalog.rename_label", data):
        aggregate, current = await store.load(data.organization_id, cause=command)
        renaming = domain.rename_label(current, data)
        lists = renaming.classification
        renamed = LabelRenamed(
            organization_id=data.organization_id,
            kind=data.kind,
            name=data.name,
            new_name=data.new_name,
            revision=lists.revision,
        )
        await _save(store, aggregate, lists, [renamed], cause=command, changes=renaming.changes)
    log.info("label renamed", extra=_ids(data))


async def remove_label(store: ClassificationStore, command: Envelope[RemoveLabel]) -> None:
    """Take a label off a list. Whatever carries it keeps it."""
    with _span("catalog.remove_label", command.data):
        aggregate, current = await store.load(command.data.organization_id, cause=command)
        await _save(store, aggregate, domain.remove_label(current, command.data), cause=command)
    log.info("label removed", extra=_ids(command.data))


async def get_classification(
    store: ClassificationStore, org: OrganizationId, *, tag_sets: TagSets
) -> UsedClassification:
    """The lists of an organization, and how many of its resources name labels in their tags."""
    with span("catalog.get_classification", attributes={semconv.ORGANIZATION: org}):
        lists, tags = await asyncio.gather(store.get(org), tag_sets(org))
        return UsedClassification(**dict(lists), tagged=tuple(domain.tagged(tags)))


async def _save(
    store: ClassificationStore,
    aggregate: Aggregate[Classification],
    lists: Classification,
    events: Sequence[Event] = (),
    *,
    cause: Envelope[LabelCommand],
    changes: bool = True,
) -> None:
    changed = ClassificationChanged(organization_id=lists.id, classification=lists)
    told = [*events, changed] if changes else []
    await store.lists.save(aggregate, lists, events=told, cause=cause, result={"revision": lists.revision})


def _span(name: str, command: LabelCommand) -> AbstractContextManager[Span]:
    return span(name, attributes={semconv.ORGANIZATION: command.organization_id})


def _ids(command: LabelCommand) -> dict[str, str]:
    return {"organization_id": command.organization_id, "kind": command.kind}
