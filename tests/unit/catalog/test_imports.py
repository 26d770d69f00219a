"""Lists that replace what an inventory holds: use cases of the catalog over the memory store."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from catalog.imports.domain.imports import Import, resource_id
from catalog.imports.domain.plans import MOST_PORTION_BYTES, PlannedChange, Portions
from catalog.imports.handlers import register_handlers
from catalog.imports.store import ImportStore, Piece, import_keys, piece_keys
from catalog.inventories.handlers import register_handlers as register_inventories
from catalog.inventories.store import InventoryStore, resource_keys
from chassis.ids import new_id
from chassis.persistence.aggregates import Aggregate, Announce, Change, Rewrite
from chassis.persistence.memory_aggregates import MemoryAggregates
from contracts.envelope import Envelope
from contracts.messages.catalog import Inventory, Resource
from contracts.messages.imports import ApplyImport, ImportApplied, ImportedRow, ResourcesChanged, StageImport
from contracts.messages.outcomes import CommandOutcome
from contracts.values import ImportId, InventoryId, OrganizationId
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import builders as make
from tests.support.memory import MemoryDoor

INVENTORY = InventoryId("inv-1")


class Death(BaseException):
    """The process is gone."""


@dataclass
class Life:
    """How many writes a process makes before it dies; None: it lives."""

    writes_left: int | None = None
    silent_broker: bool = False

    def spend(self) -> None:
        """Die instead of the next write when it is time to."""
        if self.writes_left is not None:
            if self.writes_left == 0:
                raise Death
            self.writes_left -= 1


@dataclass
class Mortal(MemoryAggregates[Any]):
    """Aggregates of a process that may die before, amid or after each write."""

    life: Life = field(default_factory=Life)

    async def write(self, aggregate: Aggregate[Any], change: Change[Any]) -> tuple[Aggregate[Any], Announce]:
        self.life.spend()
        saved, announce = await super().write(aggregate, change)

        async def told() -> bool:
            return False if self.life.silent_broker else await announce()

        return saved, told

    async def save_many(self, org: OrganizationId, rewrites: Sequence[Rewrite[Any]]) -> None:
        middle = len(rewrites) // 2
        for some in (rewrites[:middle], rewrites[middle:]):
            self.life.spend()
            await super().save_many(org, some)


class Catalog(MemoryDoor):
    """A catalog in memory, with an inventory."""

    def __init__(self) -> None:
        super().__init__("catalog")
        self.life = Life()
        inventories = self._aggregates(Inventory, lambda _: {})
        self.resources = self._aggregates(Resource, resource_keys)
        self.imports = ImportStore(
            self._aggregates(Import, import_keys),
            self._aggregates(Piece, piece_keys),
            self._aggregates(Piece, piece_keys),
        )
        self.store = InventoryStore(inventories, self.resources)
        register_inventories(self.dispatcher, self.store, removals_at_once=2)
        register_handlers(self.dispatcher, self.imports, self.store)

    def _aggregates(self, model: Any, keys: Any) -> Mortal:
        return Mortal(model, keys=keys, published=self.published, life=self.life)

    async def now(self) -> list[Resource]:
        """The resources of the inventory, oldest first."""
        return list((await self.resources.find(make.ORG, {"inventory_id": INVENTORY})).items)

    async def stage(self, rows: Sequence[ImportedRow], *, per_part: int = 500) -> Envelope[Any]:
        """Send a list in parts; the command that applies it."""
        import_id = ImportId(new_id())
        parts = [rows[first : first + per_part] for first in range(0, len(rows), per_part)]
        facts: dict[str, Any] = {"organization_id": make.ORG, "inventory_id": INVENTORY, "import_id": import_id}
        for number, part in enumerate(parts):
            assert (await self.do(StageImport(**facts, part=number, rows=tuple(part)))).accepted
        return make.wrap(ApplyImport(**facts, parts=len(parts), rows=len(rows)))

    async def load(self, rows: Sequence[ImportedRow]) -> CommandOutcome:
        """Import a list."""
        return await self.do(await self.stage(rows))


@pytest.fixture
async def catalog() -> Catalog:
    made = Catalog()
    await made.do(make.create_inventory(INVENTORY))
    return made


def row(urn: str, **changes: Any) -> ImportedRow:
    return ImportedRow.model_validate({"urn": urn, "name": "", "class": "compute", **changes})


def counts(outcome: CommandOutcome) -> tuple[object, ...]:
    assert outcome.accepted
    return tuple(outcome.result[name] for name in ("added", "changed", "unchanged", "removed"))


async def test_a_list_becomes_resources_in_its_order(catalog: Catalog) -> None:
    rows = [row(f"urn:{n}", name=f"box {n}", endpoints=("10.0.0.1", "h:22")) for n in range(1200)]
    assert counts(await catalog.load(rows)) == (1200, 0, 0, 0)
    found = await catalog.now()
    assert [r.urn for r in found] == [r.urn for r in rows]
    assert {(r.revision, r.class_, r.subclass, r.tags, r.locked) for r in found} == {(1, "compute", "", (), False)}
    assert [e.kind for e in found[0].endpoints] == ["inet4", "host"]
    assert [len(e.changed) for e in catalog.events(ResourcesChanged)] == [500, 500, 200]


async def test_a_row_changes_what_it_says_and_nothing_else(catalog: Catalog) -> None:
    described = {"urn": "urn:a", "tags": ["x"], "service": "web", "subclass": "vm", "excluded_from_coverage": True}
    await catalog.do(make.register_resource(INVENTORY, "res-1", **described, **{"class": "compute"}, name="old"))
    await catalog.do(make.flag_resource(INVENTORY, "res-1", locked=True))
    before = (await catalog.now())[0]
    assert counts(await catalog.load([row("urn:a", name="new", endpoints=("h",))])) == (0, 1, 0, 0)
    [after] = await catalog.now()
    assert (after.id, after.revision, after.name) == ("res-1", before.revision + 1, "new")
    kept = {"subclass", "tags", "service", "excluded_from_coverage", "locked", "urn", "inventory_id"}
    assert after.model_dump(include=kept) == before.model_dump(include=kept)
    assert [e.endpoint for e in after.endpoints] == ["h"]


async def test_a_subclass_goes_with_the_class_that_it_belongs_to(catalog: Catalog) -> None:
    bucket = {"class": "ObjectStorage", "subclass": "s3"}
    await catalog.do(make.register_resource(INVENTORY, "res-1", urn="urn:a", name="urn:a", **bucket))
    await catalog.load([row("urn:a", **{"class": "object-storage"}, name="renamed")])
    assert [(r.class_, r.subclass) for r in await catalog.now()] == [("ObjectStorage", "s3")]
    await catalog.load([row("urn:a", **{"class": "compute"})])
    assert [(r.class_, r.subclass) for r in await catalog.now()] == [("compute", "")]


async def test_what_the_list_lacks_is_removed(catalog: Catalog) -> None:
    await catalog.load([row("urn:a"), row("urn:b"), row("urn:c")])
    gone = [r for r in await catalog.now() if r.urn != "urn:b"]
    assert counts(await catalog.load([row("urn:b"), row("urn:d")])) == (1, 0, 1, 2)
    assert [r.urn for r in await catalog.now()] == ["urn:b", "urn:d"]
    [told] = catalog.events(ResourcesChanged)[1:]
    assert {(r.id, r.revision) for r in told.removed} == {(r.id, 2) for r in gone}
    assert [r.urn for r in told.changed] == ["urn:d"]


async def test_the_same_list_again_changes_nothing(catalog: Catalog) -> None:
    await catalog.load([row("urn:a", **{"class": "Object Storage"}), row("urn:b")])
    before = await catalog.now()
    assert counts(await catalog.load([row("urn:b"), row("urn:a", **{"class": "ObjectStorage"})])) == (0, 0, 2, 0)
    assert await catalog.now() == before
    assert len(catalog.events(ResourcesChanged)) == 1
    assert len(catalog.events(ImportApplied)) == 2


async def test_a_class_that_was_written_otherwise_stays_as_it_was(catalog: Catalog) -> None:
    await catalog.do(make.register_resource(INVENTORY, urn="urn:a", **{"class": "ObjectStorage"}, name="urn:a"))
    assert counts(await catalog.load([row("urn:a", **{"class": "object-storage"})])) == (0, 0, 1, 0)


async def test_an_empty_list_removes_all(catalog: Catalog) -> None:
    await catalog.load([row("urn:a")])
    assert counts(await catalog.load([])) == (0, 0, 0, 1)
    assert await catalog.now() == []


async def test_changes_are_announced_before_the_end_and_that_before_the_outcome(catalog: Catalog) -> None:
    apply = await catalog.stage([row("urn:a")])
    catalog.published.clear()
    await catalog.do(apply)
    assert catalog.said() == [ResourcesChanged, ImportApplied, CommandOutcome]
    assert {e.correlation_id for e in catalog.published} == {apply.correlation_id}
    applied = catalog.published[1].data
    assert (applied.import_id, applied.added, applied.removed) == (apply.data.import_id, 1, 0)


async def test_a_repeated_command_imports_once(catalog: Catalog) -> None:
    apply = await catalog.stage([row("urn:a")])
    first = await catalog.do(apply)
    await catalog.load([row("urn:b")])
    assert await catalog.do(apply) == first
    assert [r.urn for r in await catalog.now()] == ["urn:b"]


async def test_nothing_is_left_of_a_list_that_was_applied(catalog: Catalog) -> None:
    await catalog.load([row(f"urn:{n}") for n in range(600)])
    assert (await catalog.imports.parts.find(make.ORG)).total == 0
    assert (await catalog.imports.portions.find(make.ORG)).total == 0


async def test_a_list_that_is_not_whole_is_refused(catalog: Catalog) -> None:
    apply = await catalog.stage([row("urn:a")])
    for changes in ({"parts": 2}, {"rows": 2}, {"parts": 0}, {"import_id": new_id()}):
        problem = await catalog.rejection(apply.data.model_copy(update=changes))
        assert (problem.code, problem.kind) == ("import_incomplete", "conflict")
    assert await catalog.now() == []


async def test_imports_into_what_is_not_there_or_managed_are_refused(catalog: Catalog) -> None:
    apply = await catalog.stage([row("urn:a")])
    elsewhere = apply.data.model_copy(update={"inventory_id": InventoryId("nothing")})
    assert (await catalog.rejection(elsewhere)).code == "inventory_not_found"
    managed = make.an_inventory(id="managed", type="k8s")
    await catalog.dispatcher.dispatch(make.wrap(make.create_inventory("managed", kind="k8s")))
    into_managed = apply.data.model_copy(update={"inventory_id": managed.id})
    assert (await catalog.rejection(into_managed)).code == "inventory_managed"


async def test_rows_are_checked_as_single_resources_are(catalog: Catalog) -> None:
    facts: dict[str, Any] = {"organization_id": make.ORG, "inventory_id": INVENTORY, "part": 0}
    odd = StageImport(**facts, import_id=ImportId(new_id()), rows=(row("urn:a"), row("", endpoints=("a b",))))
    problem = await catalog.rejection(odd)
    assert problem.code == "import_invalid"
    assert [f.field for f in problem.fields] == ["rows.1.urn", "rows.1.endpoints.0"]
    for changes in ({"import_id": "x"}, {"part": -1}, {"rows": ()}, {"rows": (row("urn:a"),) * 501}):
        assert (
            await catalog.rejection(odd.model_copy(update={"rows": (row("u"),), **changes}))
        ).code == "import_invalid"


async def test_two_rows_with_one_urn_are_refused(catalog: Catalog) -> None:
    assert (await catalog.rejection(await catalog.stage([row("urn:a"), row("urn:a")]))).code == "import_invalid"


async def test_a_broker_that_is_silent_stops_the_import_until_it_answers(catalog: Catalog) -> None:
    apply = await catalog.stage([row(f"urn:{n}") for n in range(1200)])
    catalog.life.silent_broker = True
    with pytest.raises(Exception, match="import_unannounced"):
        await catalog.do(apply)
    catalog.life.silent_broker = False
    assert counts(await catalog.do(apply)) == (1200, 0, 0, 0)


async def test_an_import_that_was_given_up_is_finished_before_the_next(catalog: Catalog) -> None:
    await catalog.load([row("urn:old")])
    given_up = await catalog.stage([row(f"urn:{n}") for n in range(1200)])
    # The plan (3 portions and the removal), two saves around it, one more, then the first portion of four.
    catalog.life.writes_left = 9 + 4
    with pytest.raises(Death):
        await catalog.do(given_up)
    catalog.life.writes_left = None
    assert 0 < len(await catalog.now()) < 1200
    assert counts(await catalog.load([row("urn:1"), row("urn:new")])) == (1, 0, 1, 1199)
    applied = [e.import_id for e in catalog.events(ImportApplied)]
    assert applied[1] == given_up.data.import_id
    assert len(applied) == 3
    assert [r.urn for r in await catalog.now()] == ["urn:1", "urn:new"]


def test_ids_are_those_of_the_import_in_the_order_of_the_list() -> None:
    import_id = ImportId(new_id())
    places = [0, 1, 4095, 4096, 4097, 199_999]
    ids = [resource_id(import_id, place) for place in places]
    assert ids == [resource_id(import_id, place) for place in places]
    assert all(one < other for one, other in pairwise(ids))
    assert {(uuid.UUID(id_).version, uuid.UUID(id_).variant) for id_ in ids} == {(7, uuid.RFC_4122)}
    assert {uuid.UUID(id_).int >> 80 for id_ in ids} == {uuid.UUID(import_id).int >> 80}
    assert resource_id(ImportId(new_id()), 0) != ids[0]


def test_portions_fit_into_messages() -> None:
    portions, made = Portions(), list[str]()
    large = make.a_resource(tags=("x" * 255,) * 200)
    for _ in range(40):
        if portion := portions.take(PlannedChange(resource=large, revision=1)):
            made.append(portion)
    assert len(made) > 1
    assert all(len(portion) <= MOST_PORTION_BYTES + 1000 for portion in made)
    assert portions.rest() is not None
    assert portions.rest() is None


LISTS = st.dictionaries(st.sampled_from([f"urn:{n}" for n in range(9)]), st.sampled_from(["x", "y"]), max_size=9)


def rows_of(names: dict[str, str]) -> list[ImportedRow]:
    return [row(urn, name=name) for urn, name in names.items()]


def deaths(most: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, most), max_size=4)


@settings(max_examples=60, deadline=None)
@given(LISTS, LISTS, deaths(12))
async def test_whenever_a_process_dies_the_next_ones_finish_the_import_and_tell_it_once(
    before: dict[str, str], after: dict[str, str], lives: list[int]
) -> None:
    catalog = Catalog()
    await catalog.do(make.create_inventory(INVENTORY))
    await catalog.load(rows_of(before))
    old = {r.urn: r for r in await catalog.now()}
    apply = await catalog.stage(rows_of(after), per_part=4)
    catalog.published.clear()
    for writes in [*lives, None]:
        catalog.life.writes_left = writes
        try:
            await catalog.hear(apply)
        except Death:
            continue
    assert {r.urn: r.name for r in await catalog.now()} == after
    now = {r.urn: r for r in await catalog.now()}
    told = catalog.events(ResourcesChanged)
    changed = {r.id: r for event in told for r in event.changed}
    removed = [r.id for event in told for r in event.removed]
    assert changed == {r.id: r for urn, r in now.items() if r != old.get(urn)}
    assert sorted(removed) == sorted(old[urn].id for urn in old.keys() - now.keys())
    assert sum(len(event.changed) for event in told) == len(changed)
    outcomes = {o.model_dump_json() for o in catalog.events(CommandOutcome)}
    assert len(outcomes) == 1
    [applied] = {e.model_dump_json(): e for e in catalog.events(ImportApplied)}.values()
    assert applied.removed == len(removed)
    assert applied.added + applied.changed == len(changed)
    assert applied.unchanged == len(now) - len(changed)
