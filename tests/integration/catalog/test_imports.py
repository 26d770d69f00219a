"""Lists that replace what an inventory holds, on real servers, also when the catalog dies amid one."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio
from catalog.imports.store import open_imports
from catalog.inventories.store import open_inventories
from catalog.resource_index.following import Following
from catalog.resource_index.store.index import ResourceIndex
from catalog.resource_index.store.loading import Loader
from catalog.resource_index.store.sources import open_sources
from catalog.settings import Settings
from chassis.errors import Unavailable
from chassis.ids import new_id
from chassis.runtime.service_runtime import open_service_runtime
from chassis.runtime.supervision import beside
from contracts.envelope import Envelope
from contracts.messages.catalog import ResourceRegistered
from contracts.messages.imports import ApplyImport, ImportApplied, ImportedRow, ResourcesChanged, StageImport
from contracts.messages.outcomes import CommandOutcome
from contracts.resource_csv import read_list
from contracts.topics import CATALOG_COMMANDS, CATALOG_EVENTS
from contracts.values import ImportId, InventoryId

from tests.support import builders as make
from tests.support.door import Asker
from tests.support.environment import Corner
from tests.support.killed_services import open_outsider, serving
from tests.support.waiting import eventually_async

ROWS = 6000


@pytest_asyncio.fixture(loop_scope="session")
async def asker(fresh_corner: Corner) -> AsyncIterator[Asker]:
    """Talks to the catalogs of this test."""
    async with open_outsider(fresh_corner, topics=(CATALOG_COMMANDS,), events=CATALOG_EVENTS) as opened:
        yield opened


def rows(first: int, last: int, *, name: str = "") -> list[ImportedRow]:
    return [
        ImportedRow(
            urn=f"urn:{n:06}", name=f"{name} {n}", class_="compute", endpoints=(f"h{n}.example.com", "10.0.0.1")
        )
        for n in range(first, last)
    ]


async def stage(asker: Asker, inventory: str, wanted: Sequence[ImportedRow]) -> Envelope[Any]:
    """Send a list in parts; the command that applies it."""
    facts: dict[str, Any] = {
        "organization_id": make.ORG,
        "inventory_id": InventoryId(inventory),
        "import_id": ImportId(new_id()),
    }
    parts = [tuple(wanted[first : first + 500]) for first in range(0, len(wanted), 500)]
    for number, part in enumerate(parts):
        await asker.wire.publish(make.wrap(StageImport(**facts, part=number, rows=part)))
    return make.wrap(ApplyImport(**facts, parts=len(parts), rows=len(wanted)))


async def load(asker: Asker, inventory: str, wanted: Sequence[ImportedRow]) -> tuple[object, ...]:
    apply = await stage(asker, inventory, wanted)
    await asker.wire.publish(apply)
    return counts(await asker.outcome(apply, deadline_seconds=120))


def counts(outcome: CommandOutcome) -> tuple[object, ...]:
    assert outcome.accepted, outcome.problem
    return tuple(outcome.result[name] for name in ("added", "changed", "unchanged", "removed"))


async def an_inventory(asker: Asker) -> str:
    outcome = await asker.ask(make.create_inventory(), deadline_seconds=60)
    return str(outcome.result["id"])


async def listed(http: httpx.AsyncClient, inventory: str) -> str:
    answer = await http.get(f"/internal/inventories/{inventory}/list")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    return answer.text


async def test_a_list_replaces_what_an_inventory_holds(catalog: Asker, http: httpx.AsyncClient) -> None:
    inventory = await an_inventory(catalog)
    await catalog.ask(make.register_resource(inventory, urn="urn:other"))
    assert await load(catalog, inventory, rows(0, 1200)) == (1200, 0, 0, 1)
    assert await load(catalog, inventory, [*rows(600, 1200), *rows(1200, 1300, name="new")]) == (100, 0, 600, 600)
    assert await load(catalog, inventory, rows(600, 1300, name="new")) == (0, 600, 100, 0)
    found = read_list((await listed(http, inventory)).encode())
    assert isinstance(found, list)
    assert [(row.urn, row.name) for row in found] == [(row.urn, row.name) for row in rows(600, 1300, name="new")]
    page = (await http.get("/internal/resources", params={"inventory_id": inventory, "limit": 50})).json()
    assert page["total"] == 700


async def test_what_was_exported_imports_to_no_change(catalog: Asker, http: httpx.AsyncClient) -> None:
    inventory = await an_inventory(catalog)
    odd = {"name": 'semi;colon "quoted"', "class": "Object Storage"}
    await catalog.ask(make.register_resource(inventory, urn="urn:odd", endpoints=["h,1", "/srv/a b"], **odd))
    await load(catalog, inventory, [*rows(0, 3), ImportedRow(urn="urn:odd", name="x", class_="y")])
    found = read_list((await listed(http, inventory)).encode())
    assert isinstance(found, list)
    again = [ImportedRow(urn=r.urn, name=r.name, class_=r.class_, endpoints=r.endpoints) for r in found]
    assert await load(catalog, inventory, again) == (0, 0, 4, 0)


async def test_other_inventories_go_on_while_a_list_is_applied(catalog: Asker) -> None:
    inventory, other = await an_inventory(catalog), await an_inventory(catalog)
    apply = await stage(catalog, inventory, rows(0, ROWS))
    await catalog.wire.publish(apply)
    await catalog.ear.message(ResourcesChanged, lambda e: e.inventory_id == inventory)
    assert (await catalog.ask(make.register_resource(other, urn="urn:meanwhile"), deadline_seconds=60)).accepted
    assert not [e for e in catalog.heard(CommandOutcome) if e.data.command_id == apply.id], "it was too quick to tell"
    assert counts(await catalog.outcome(apply, deadline_seconds=120)) == (ROWS, 0, 0, 0)


async def test_the_list_of_what_is_not_there_is_a_404(http: httpx.AsyncClient) -> None:
    answer = await http.get("/internal/inventories/nothing/list")
    assert (answer.status_code, answer.json()["code"]) == (404, "inventory_not_found")


@asynccontextmanager
async def reading(corner: Corner) -> AsyncIterator[ResourceIndex]:
    """An index of resources that begins now, as that of a process that starts."""
    settings, index = corner.settings(Settings), ResourceIndex()
    async with open_service_runtime(settings, "catalog") as runtime:
        stores = Loader(await open_inventories(runtime), await open_imports(runtime), await open_sources(runtime))
        async with beside("index", Following(settings, index, stores).follow):

            async def ready() -> bool:
                with suppress(Unavailable):
                    await index.check()
                    return True
                return False

            await eventually_async(ready, 60)
            yield index


@asynccontextmanager
async def sizes_seen(index: ResourceIndex) -> AsyncIterator[set[int]]:
    """How many resources reads found, until the end of the block."""
    sizes: set[int] = set()

    async def look() -> None:
        while True:
            sizes.add(len(await index.rows_of(make.ORG)))
            await asyncio.sleep(0.01)

    async with beside("reads", look):
        yield sizes


async def test_an_import_killed_or_stopped_in_the_middle_is_finished_by_the_next_process(
    fresh_corner: Corner, asker: Asker, tmp_path: Path
) -> None:
    with serving(fresh_corner, "catalog", tmp_path / "first") as first:
        inventory = await an_inventory(asker)
        before = new_id()
        kept = make.register_resource(inventory, before, urn="urn:000010", tags=["kept"], name="old")
        assert (await asker.ask(kept)).accepted
        apply = await stage(asker, inventory, rows(0, ROWS))
        await asker.wire.publish(apply)
        await asker.ear.message(ResourcesChanged)
        first.kill()
    assert_not_over(asker, apply)

    async with reading(fresh_corner) as index, sizes_seen(index) as sizes:
        outcome = await finish(asker, fresh_corner, tmp_path, apply)
        assert len(await index.rows_of(make.ORG)) == ROWS
    assert sizes <= {1, ROWS}
    assert 1 in sizes, "it began too late to tell"
    assert counts(outcome) == (ROWS - 1, 1, 0, 0)
    told = {e.id: e.data for e in asker.heard(ResourcesChanged)}
    resources = [r for event in told.values() for r in event.changed]
    assert sorted(r.urn for r in resources) == [f"urn:{n:06}" for n in range(ROWS)]
    assert len({r.id for r in resources}) == ROWS
    [changed] = [r for r in resources if r.revision > 1]
    assert (changed.id, changed.tags, changed.name, changed.revision) == (before, ("kept",), " 10", 2)
    assert len({e.id for e in asker.heard(ImportApplied)}) == 1
    assert len({e.id for e in asker.heard(ResourceRegistered)}) == 1


async def finish(asker: Asker, corner: Corner, logs: Path, apply: Envelope[Any]) -> CommandOutcome:
    """Let a second process be stopped amid the import, and a third finish it; the outcome."""
    with serving(corner, "catalog", logs / "second") as second:
        seen = len(asker.heard(ResourcesChanged))
        await asker.ear.until(lambda _: len(asker.heard(ResourcesChanged)) > seen, 60)
        second.process.terminate()

        async def ended() -> bool:
            return second.process.poll() is not None

        await eventually_async(ended, 60)
    assert_not_over(asker, apply)

    with serving(corner, "catalog", logs / "third"):
        outcome = await asker.outcome(apply, deadline_seconds=120)
        await asker.wire.publish(apply)
        await asker.ear.until(
            lambda _: len([e for e in asker.heard(CommandOutcome) if e.data.command_id == apply.id]) >= 2, 60
        )
    return outcome


def assert_not_over(asker: Asker, apply: Envelope[Any]) -> None:
    assert not [e for e in asker.heard(CommandOutcome) if e.data.command_id == apply.id], "it was too quick to end"
