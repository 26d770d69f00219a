"""Lists that replace what a self-managed inventory holds."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from chassis.messaging.command_client import Commands
from chassis.telemetry.tracing import span
from contracts.errors import Conflict, NotFound, Throttled
from contracts.inventory_types import SELF_MANAGED
from contracts.messages.assignment import App
from contracts.messages.catalog import Resource
from contracts.messages.imports import ApplyImport, ImportedRow, StageImport
from contracts.values import ImportId, InventoryId
from contracts.wording import with_article
from pydantic import JsonValue, TypeAdapter

from gateway.access.principal import Principal
from gateway.areas.imports.lists import Difference, Upload, UsableList, compare, received
from gateway.clients.assignment import AssignmentClient
from gateway.clients.catalog import CatalogClient
from gateway.idempotency.intents import CommandIds, Intent, sibling_id

MOST_NAMED = 100
"""Resources named in one answer."""
LOOKUPS_AT_ONCE = 8
RETRY_SECONDS = 5
_ROWS = TypeAdapter(tuple[ImportedRow, ...])


@dataclass(frozen=True)
class UsedResource:
    """A resource that a list lacks, and the connectors that use it."""

    resource: Resource
    connectors: Sequence[App]

    @property
    def in_words(self) -> str:
        """It and what uses it, for a sentence."""
        return f"{self.resource.name} ({', '.join(f'{app.kind} {app.name}' for app in self.connectors)})"


@dataclass
class _Turns:
    under_way: int = 0


@dataclass(frozen=True)
class Imports:
    """What can be done with lists of resources. `at_once`: how many are read at the same time."""

    catalog: CatalogClient
    assignment: AssignmentClient
    commands: Commands
    most_bytes: int
    at_once: int
    _turns: _Turns = field(default_factory=_Turns)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold one of the places for lists that are read. Raises `Throttled` while all are taken."""
        if self._turns.under_way >= self.at_once:
            words = "Other lists are being read. Try again in a moment."
            raise Throttled("imports_busy", words, retry_after_seconds=RETRY_SECONDS)
        self._turns.under_way += 1
        try:
            yield
        finally:
            self._turns.under_way -= 1

    async def check(self, who: Principal, inventory_id: str) -> None:
        """Raise `NotFound` for an inventory that is not there, `Conflict` for one that is managed."""
        inventory = await self.catalog.inventory(who, inventory_id)
        if inventory.type != SELF_MANAGED:
            kind = with_article(inventory.type)
            words = f"The resources of {kind} inventory come from its provider; no list replaces them."
            raise Conflict("inventory_managed", words)

    async def preview(self, who: Principal, inventory_id: str, upload: Upload) -> tuple[Difference, list[UsedResource]]:
        """What a list would change, and which resources it would remove that connectors use. Nothing is changed."""
        with span("gateway.preview_import"):
            async with self._present(who, inventory_id) as present:
                difference = await compare(upload, present)
            users = [app for app in await self._users(who, inventory_id) if app.resource.urn in difference.removed_urns]
            return difference, await self._still_there(who, users)

    async def run(
        self, who: Principal, inventory_id: str, wanted: UsableList, intent: Intent, *, force: bool
    ) -> dict[str, JsonValue]:
        """Make a list what the inventory holds; how many resources that added, changed, left and removed.

        A repeated intent imports once. Raises `Conflict` when resources that connectors use would go and `force` is not
        set, or all resources, as the list is empty.
        """
        with span("gateway.import_resources"):
            if not force:
                await self._check_all(who, inventory_id, wanted)
            facts = {"organization_id": who.organization_id, "inventory_id": InventoryId(inventory_id)}
            import_id = ImportId(intent.id_for("import"))
            for part, rows in enumerate(wanted.parts):
                staged = StageImport(**facts, import_id=import_id, part=part, rows=_ROWS.validate_json(rows))
                ids = CommandIds(
                    command_id=sibling_id(intent.command_id, f"part {part}"),
                    correlation_id=intent.ids["correlation_id"],
                )
                await self.commands.hand_over(staged, **ids)
            if not force:
                # Once more: a connector may have been made while the list was on its way.
                await self._check_unused(who, inventory_id, wanted.urns)
            command = ApplyImport(**facts, import_id=import_id, parts=len(wanted.parts), rows=wanted.rows)
            return await self.commands.carry_out(command, **intent.ids)

    @asynccontextmanager
    async def _present(self, who: Principal, inventory_id: str) -> AsyncIterator[Upload]:
        async with (
            self.catalog.resource_list(who, inventory_id) as answer,
            received(answer.aiter_raw(), most_bytes=2**62) as present,
        ):
            yield present

    async def _check_all(self, who: Principal, inventory_id: str, wanted: UsableList) -> None:
        if not wanted.rows and (count := (await self.catalog.inventory(who, inventory_id)).count):
            words = f"The list is empty: it would remove all {count} resources. With `force=true` it does."
            raise Conflict("list_empty", words)
        await self._check_unused(who, inventory_id, wanted.urns)

    async def _check_unused(self, who: Principal, inventory_id: str, urns: Collection[str]) -> None:
        users = [app for app in await self._users(who, inventory_id) if app.resource.urn not in urns]
        if used := await self._still_there(who, users):
            raise _in_use(used)

    async def _users(self, who: Principal, inventory_id: str) -> list[App]:
        return list(await self.assignment.apps(who, inventory_id=inventory_id))

    async def _still_there(self, who: Principal, users: Sequence[App]) -> list[UsedResource]:
        """The resources of connectors, without those that were removed before: connectors go on showing them."""
        by_resource: dict[str, list[App]] = {}
        for app in users:
            by_resource.setdefault(app.resource.id, []).append(app)
        slots = asyncio.Semaphore(LOOKUPS_AT_ONCE)

        async def look_up(apps: Sequence[App]) -> UsedResource | None:
            async with slots:
                try:
                    return UsedResource(await self.catalog.resource(who, apps[0].resource.id), apps)
                except NotFound:
                    return None

        found = await asyncio.gather(*map(look_up, by_resource.values()))
        return [used for used in found if used is not None]


def _in_use(used: Sequence[UsedResource]) -> Conflict:
    shown = ", ".join(each.in_words for each in used[:5]) + (f" and {len(used) - 5} more" if len(used) > 5 else "")
    words = (
        f"The list lacks resources that connectors use: {shown}. With `force=true` they are removed all the same; their"
        " connectors keep them as they were last."
    )
    fields = {f"resources.{each.resource.id}": f"{each.in_words} is not in the list" for each in used[:MOST_NAMED]}
    return Conflict("resources_in_use", words, fields=fields)
