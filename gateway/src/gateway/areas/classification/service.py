"""Environments and data classes: the catalog has the lists, the assignment service knows who uses them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from chassis.messaging.command_client import Commands
from chassis.telemetry.tracing import span
from contracts.messages.classification import AddLabel, LabelKind, RemoveLabel, RenameLabel
from contracts.queries.classification import LabelUse, UsedClassification

from gateway.access.principal import Principal
from gateway.areas.classification.labels import KnownLabel, check_unused, known_labels, use_of
from gateway.clients.assignment import AssignmentClient
from gateway.clients.catalog import CatalogClient
from gateway.idempotency.intents import Intent


@dataclass(frozen=True)
class Classification:
    """What can be done with the labels of an organization."""

    catalog: CatalogClient
    assignment: AssignmentClient
    commands: Commands

    async def all(self, who: Principal) -> tuple[Sequence[KnownLabel], Sequence[KnownLabel]]:
        """All environments and all data classes, those that are used and not listed among them."""
        lists, uses = await self._read(who)
        return known_labels(lists, uses, "environment"), known_labels(lists, uses, "data_class")

    async def list(self, who: Principal, kind: LabelKind, *, part: str = "") -> Sequence[KnownLabel]:
        """The labels of a kind, or those whose name has a part, whatever the case."""
        lists, uses = await self._read(who)
        return [label for label in known_labels(lists, uses, kind) if part.casefold() in label.name.casefold()]

    async def add(self, who: Principal, kind: LabelKind, name: str, intent: Intent) -> KnownLabel:
        """List a label; one may be that is used already."""
        with span("gateway.add_label"):
            command = AddLabel(organization_id=who.organization_id, kind=kind, name=name)
            await self.commands.carry_out(command, **intent.ids)
            return await self._one(who, kind, name)

    async def rename(
        self, who: Principal, kind: LabelKind, name: str, new_name: str, *, merge: bool, intent: Intent
    ) -> KnownLabel:
        """Give a label another name. Whoever carries it follows by and by."""
        with span("gateway.rename_label"):
            uses = await self.assignment.label_uses(who)
            # Told, not checked here: a repeated request must get the answer that it got first (decision 0057).
            command = RenameLabel(
                organization_id=who.organization_id,
                kind=kind,
                name=name,
                new_name=new_name,
                merge=merge,
                in_use=use_of(uses, kind, name).users > 0,
                new_name_in_use=use_of(uses, kind, new_name).users > 0,
            )
            await self.commands.carry_out(command, **intent.ids)
            return await self._one(who, kind, new_name)

    async def remove(self, who: Principal, kind: LabelKind, name: str, *, force: bool, intent: Intent) -> None:
        """Take a label off its list. Raises `Conflict` (`label_in_use`) while something carries it, unless forced."""
        with span("gateway.remove_label"):
            if not force:
                check_unused(use_of(await self.assignment.label_uses(who), kind, name))
            command = RemoveLabel(organization_id=who.organization_id, kind=kind, name=name)
            await self.commands.carry_out(command, **intent.ids)

    async def _one(self, who: Principal, kind: LabelKind, name: str) -> KnownLabel:
        lists, uses = await self._read(who)
        found = next((label for label in known_labels(lists, uses, kind) if label.name == name), None)
        # Somebody may have removed it since.
        return found or KnownLabel(LabelUse(kind=kind, name=name), listed=False, tags_counted=False)

    async def _read(self, who: Principal) -> tuple[UsedClassification, Sequence[LabelUse]]:
        lists, uses = await asyncio.gather(self.catalog.classification(who), self.assignment.label_uses(who))
        return lists, uses
