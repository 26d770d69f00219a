"""The index shows what was told before a read began, and never half of an import."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from catalog.imports.domain.imports import Import
from catalog.resource_index import usecases
from catalog.resource_index.domain.resource_query import ResourceQuery
from catalog.resource_index.domain.sources import SourceUse
from catalog.resource_index.handlers import register_handlers
from catalog.resource_index.store.index import ResourceIndex
from catalog.resource_index.store.loading import Loader
from catalog.resource_index.store.sources import SourceStore
from chassis.errors import Unavailable
from chassis.persistence.memory_aggregates import MemoryAggregates
from contracts.messages.assignment import App, AppAssigned, AppReconfigured, AppRemoved
from contracts.messages.imports import ImportApplied
from contracts.queries.catalog import Coverage
from contracts.values import AppId, InventoryId, OrganizationId

from tests.support import builders as make
from tests.unit.catalog.test_imports import INVENTORY, Catalog, Death, row

PLACE = TopicPartition("events", 0)
STRANGER = OrganizationId("stranger")


class World:
    """A catalog in memory, the topic of its events, and an index that reads it."""

    def __init__(self) -> None:
        self.catalog = Catalog()
        self.sources = SourceStore(MemoryAggregates(SourceUse, published=self.catalog.published))
        self.index = ResourceIndex(patience_seconds=0.5)
        self.taken = 0
        register_handlers(self.catalog.dispatcher, self.sources)

    @property
    def end(self) -> int:
        return len(self.catalog.published)

    async def ends(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        assert list(places) == [PLACE]
        return {PLACE: self.end}

    def begin(self) -> None:
        """Listen from now on."""
        self.index.begin()
        self.taken = self.end
        self.index.begin_at({PLACE: self.taken})

    async def load(self) -> None:
        """Read what the database has; all was heard by then."""
        loader = Loader(self.catalog.store, self.catalog.imports, self.sources)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(loader.load(self.index))
            tasks.create_task(self.hear())
        self.index.loaded(self.ends)

    async def hear(self) -> None:
        """Take what was told, each twice."""
        while self.taken < self.end:
            event = self.catalog.published[self.taken].data
            await self.index.take(PLACE, self.taken, event)
            await self.index.take(PLACE, self.taken, event)
            self.taken += 1

    async def started(self) -> "World":
        self.begin()
        await self.load()
        return self

    async def listed(self, org: OrganizationId = make.ORG, **query: Any) -> list[str]:
        """URN and name of what is listed."""
        page = await usecases.list_resources(self.index, org, ResourceQuery(**query), limit=10_000, offset=0)
        assert page.total == len(page.items)
        return [f"{each.urn} {each.name}" for each in page.items]

    async def kept(self) -> list[str]:
        return [f"{each.urn} {each.name}" for each in await self.catalog.now()]


@pytest.fixture
async def world() -> World:
    made = World()
    await made.catalog.do(make.create_inventory(INVENTORY))
    return made


def app(revision: int, *, kind: str = "source", resource_id: str = "res-1") -> App:
    facts: dict[str, Any] = {
        "id": "app-1",
        "kind": kind,
        "name": "files",
        "integration": {"id": "int-fs", "name": "fs", "version": "1.0.0"},
        "protocol": "fs",
        "resource": make.a_resource(id=resource_id),
        "fields": {},
        "endpoints": (),
        "data_classes": (),
        "environment": "",
        "temperature": "hot",
        "revision": revision,
    }
    return App.model_validate(facts)


def assigned(revision: int, **facts: Any) -> AppAssigned:
    return AppAssigned(organization_id=make.ORG, app_id=AppId("app-1"), app=app(revision, **facts))


async def test_what_was_told_before_a_read_began_is_there(world: World) -> None:
    await world.started()
    await world.catalog.do(make.register_resource(INVENTORY, "res-1", urn="urn:a", name="a"))
    reading = asyncio.create_task(world.listed())
    await asyncio.sleep(0.01)
    assert not reading.done()
    await world.hear()
    assert await reading == ["urn:a a"]
    assert await world.listed(STRANGER) == []


async def test_a_read_does_not_wait_for_ever(world: World) -> None:
    await world.started()
    world.index.patience_seconds = 0.01
    await world.catalog.do(make.register_resource(INVENTORY, "res-1"))
    with pytest.raises(Unavailable) as behind:
        await world.listed()
    assert behind.value.code == "resources_behind"
    await world.hear()
    assert len(await world.listed()) == 1


async def test_a_broker_that_does_not_answer_is_told_of(world: World) -> None:
    await world.started()

    thawed = False

    async def frozen(places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        if not thawed:
            await asyncio.Event().wait()
        return await world.ends(places)

    world.index.loaded(frozen)
    world.index.patience_seconds = 0.01
    for read in await asyncio.gather(*(world.listed() for _ in range(9)), return_exceptions=True):
        assert isinstance(read, Unavailable)
        assert read.code == "resources_behind"
    thawed = True
    world.index.patience_seconds = 0.5
    assert await world.listed() == []


async def test_a_read_waits_for_a_load_that_ends_in_time(world: World) -> None:
    world.index.patience_seconds = 60
    reading = asyncio.create_task(world.listed())
    await asyncio.sleep(0)
    await world.started()
    assert await reading == []


async def test_a_load_that_takes_long_is_told_in_words(world: World) -> None:
    world.index.patience_seconds = 0.01
    for ask in (world.listed, world.index.check):
        with pytest.raises(Unavailable) as loading:
            await ask()
        assert (loading.value.code, "loaded" in loading.value.detail) == ("resources_loading", True)
    world.index.patience_seconds = 0.5
    await world.started()
    await world.index.check()
    assert await world.listed() == []


async def test_events_that_were_lost_make_it_load_again(world: World) -> None:
    await world.started()
    await world.catalog.do(make.register_resource(INVENTORY, "res-1", urn="urn:a", name="a"))
    await world.catalog.do(make.register_resource(INVENTORY, "res-2", urn="urn:b", name="b"))
    await world.index.take(PLACE, world.end - 1, None)
    assert world.index.is_lost
    with pytest.raises(Unavailable):
        await world.listed()
    await world.started()
    assert await world.listed() == ["urn:a a", "urn:b b"]


async def test_an_import_is_seen_as_a_whole(world: World) -> None:
    await world.catalog.load([row(f"urn:{n:04}", name="old") for n in range(1200)])
    await world.started()
    before = await world.kept()
    await world.catalog.load([row(f"urn:{n:04}", name="new") for n in range(600, 1300)])
    seen = []
    while world.taken < world.end:
        event = world.catalog.published[world.taken].data
        # Amid the last step too: others run while a long list is shown.
        reading = asyncio.create_task(world.index.rows_of(make.ORG))
        await world.index.take(PLACE, world.taken, event)
        world.taken += 1
        reading.cancel()
        seen.append((type(event), [len(world.index.rows.of(make.ORG))]))
    assert {tuple(size) for kind, size in seen if kind is not ImportApplied} >= {(1200,)}
    assert await world.listed() == await world.kept() != before


async def test_nobody_reads_between_the_steps_of_a_long_list(world: World) -> None:
    await world.started()
    await world.catalog.load([row(f"urn:{n:04}") for n in range(3000)])
    sizes = set()
    reads = [asyncio.create_task(world.listed()) for _ in range(3)]
    taking = asyncio.create_task(world.hear())
    while not taking.done():
        await asyncio.sleep(0)
        if world.index.is_amid:
            reads.append(asyncio.create_task(world.listed()))
    for read in reads:
        sizes.add(len(await read))
    assert sizes == {3000}
    assert len(reads) > 3


@pytest.mark.parametrize("writes", range(12))
async def test_a_process_that_starts_amid_an_import_shows_what_was_before_it(world: World, writes: int) -> None:
    # Some go, some change, some stay, some are new.
    old = [row(f"urn:{n:04}", name="old") for n in range(700)]
    new = [*old[200:400], *(row(f"urn:{n:04}", name="new") for n in range(400, 1300))]
    await world.catalog.load(old)
    before = await world.kept()
    apply = await world.catalog.stage(new)
    world.catalog.life.writes_left = writes
    with pytest.raises(Death):
        await world.catalog.do(apply)
    world.catalog.life.writes_left = None
    begun = (await world.catalog.imports.imports.find(make.ORG)).items[-1:]
    over = bool(begun) and begun[0].state == "applied" and isinstance(world.catalog.published[-1].data, ImportApplied)

    await world.started()
    after = await world.kept()
    assert await world.listed() == (after if over else before)
    assert (await world.catalog.do(apply)).accepted
    await world.hear()
    assert sorted(await world.listed()) == sorted(await world.kept())
    assert len(await world.listed()) == 1100


async def test_an_import_that_ends_while_the_index_loads_is_seen_as_a_whole(world: World) -> None:
    await world.catalog.load([row(f"urn:{n:04}", name="old") for n in range(700)])
    apply = await world.catalog.stage([row(f"urn:{n:04}", name="new") for n in range(300, 900)])
    world.catalog.life.writes_left = 8
    with pytest.raises(Death):
        await world.catalog.do(apply)
    world.catalog.life.writes_left = None
    assert isinstance((await world.catalog.imports.imports.find(make.ORG)).items[-1], Import)
    world.begin()
    # The database is read after it ended, and what was told of it is heard after that.
    await world.catalog.do(apply)
    await world.load()
    assert sorted(await world.listed()) == sorted(await world.kept())


async def test_an_import_that_was_given_up_brings_nothing_back_of_an_inventory_that_is_gone(world: World) -> None:
    await world.catalog.load([row(f"urn:{n:04}") for n in range(700)])
    apply = await world.catalog.stage([row("urn:0000")])
    # Planned; some of the removals are saved.
    world.catalog.life.writes_left = 6
    with pytest.raises(Death):
        await world.catalog.do(apply)
    world.catalog.life.writes_left = None
    [*_, begun] = (await world.catalog.imports.imports.find(make.ORG)).items
    assert begun.state == "applying"
    assert (await world.catalog.do(make.remove_inventory(INVENTORY))).accepted
    await world.started()
    assert await world.listed() == []


async def test_a_source_protects_its_resource_until_it_goes(world: World) -> None:
    for n in (1, 2):
        await world.catalog.do(make.register_resource(INVENTORY, f"res-{n}", urn=f"urn:{n}", name="x"))
    await world.started()
    events = [
        assigned(1),
        AppReconfigured(organization_id=make.ORG, app_id=AppId("app-1"), app=app(2, resource_id="res-2")),
        AppRemoved(organization_id=make.ORG, app_id=AppId("app-1"), revision=3),
    ]
    expected = [["urn:1 x"], ["urn:2 x"], []]
    again = World()
    again.catalog, again.sources = world.catalog, world.sources
    for event, protected in zip(events, expected, strict=True):
        # Once by the index, once by the handler: a process that starts later has the same.
        await world.index.take(PLACE, world.taken, event)
        world.taken += 1
        world.catalog.published.append(make.wrap(event))
        await world.catalog.hear(event)
        for each in (world, await again.started()):
            assert await each.listed(status="protected") == protected
            coverage = await usecases.get_coverage(each.index, make.ORG)
            assert coverage == Coverage(protected=len(protected), unprotected=2 - len(protected))
    for late in events[:2]:
        await world.catalog.hear(late)
    assert await (await again.started()).listed(status="protected") == []


@pytest.mark.parametrize("kind", ["store", "destination"])
async def test_other_connectors_protect_nothing(world: World, kind: str) -> None:
    await world.catalog.do(make.register_resource(INVENTORY, "res-1"))
    await world.catalog.hear(assigned(1, kind=kind))
    await world.catalog.hear(AppRemoved(organization_id=make.ORG, app_id=AppId("app-9"), revision=3))
    assert [each async for each in world.sources.uses.scan_all()] == []
    await world.started()
    assert await world.listed(status="protected") == []


async def test_classes_are_found_and_counted_however_they_are_written(world: World) -> None:
    for number, written in enumerate(["ObjectStorage", "object-storage", "File Storage", "Tea Pot"]):
        facts: dict[str, Any] = {"urn": f"urn:{number}", "name": "x", "class": written}
        await world.catalog.do(make.register_resource(INVENTORY, f"res-{number}", **facts))
    await world.started()
    assert await world.listed(classes=frozenset({"Object Storage"})) == ["urn:0 x", "urn:1 x"]
    assert await world.listed(exclude_classes=frozenset({"object-storage", "file-storage"})) == ["urn:3 x"]
    one = await usecases.get_inventory(world.index, world.catalog.store, make.ORG, InventoryId(INVENTORY))
    counted = {each.class_: each.count for each in one.summaries}
    assert counted == {"object-storage": 2, "file-storage": 1, "Tea Pot": 1}
    # What was written is what is read.
    page = await usecases.list_resources(world.index, make.ORG, ResourceQuery(), limit=50, offset=0)
    assert [each.class_ for each in page.items] == ["ObjectStorage", "object-storage", "File Storage", "Tea Pot"]


async def test_inventories_tell_what_they_hold(world: World) -> None:
    await world.catalog.do(make.create_inventory("inv-2", name="attic"))
    await world.catalog.do(make.register_resource(INVENTORY, "res-1", urn="urn:a", excluded_from_coverage=True))
    await world.catalog.do(make.register_resource("inv-2", "res-2", urn="urn:a"))
    await world.catalog.hear(assigned(1, resource_id="res-2"))
    await world.started()
    page = await usecases.list_inventories(world.index, world.catalog.store, make.ORG, limit=50, offset=0)
    assert [(each.name, each.count, each.coverage) for each in page.items] == [
        ("cellar", 1, Coverage(excluded=1)),
        ("attic", 1, Coverage(protected=1)),
    ]
    one = await usecases.get_inventory(world.index, world.catalog.store, make.ORG, InventoryId("inv-2"))
    assert one == page.items[1]
    assert [(s.class_, s.count) for s in one.summaries] == [("file-storage", 1)]
    assert await world.listed(inventory_id=InventoryId("inv-2"), sort="-name") == ["urn:a files"]
