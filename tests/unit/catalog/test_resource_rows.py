"""Searches over packed resources find what looking at each of them finds."""

from collections import Counter
from typing import Any, get_args

from catalog.resource_index.domain.coverage import coverage_of, figures_of, tag_sets_of
from catalog.resource_index.domain.resource_query import ResourceQuery, listed, select
from catalog.resource_index.domain.resource_rows import KnownInventory, ResourceRows
from contracts.inventory_types import InventoryType
from contracts.queries.catalog import CoverageStatus, ResourceSort
from contracts.values import AppId, InventoryId, ResourceId
from hypothesis import given
from hypothesis import strategies as st

Document = dict[str, Any]
IDS, INVENTORIES, CLASSES, TAGS = "abcdef", ("inv-1", "inv-2"), ("", "compute", "database"), ("red", "env=prod", "x")
TYPES: dict[str, InventoryType] = {"inv-1": "self-managed", "inv-2": "aws"}
words = st.text(st.sampled_from("aAbß\u00c9e.-"), min_size=1, max_size=4)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """A resource; of one id, the inventory is always the same."""
    row_id = draw(st.sampled_from(IDS))
    return {
        "id": row_id,
        "inventory_id": INVENTORIES[ord(row_id) % 2],
        "urn": draw(words),
        "name": draw(words),
        "class": draw(st.sampled_from(CLASSES)),
        "subclass": "",
        "service": "",
        "endpoints": [],
        "tags": draw(st.lists(st.sampled_from(TAGS), max_size=3, unique=True)),
        "excluded_from_coverage": draw(st.booleans()),
        "locked": False,
        "revision": draw(st.integers(1, 5)),
    }


puts = st.tuples(st.just("put"), documents())
removals = st.tuples(st.just("remove"), st.tuples(st.sampled_from(IDS), st.integers(1, 6)))
uses = st.tuples(
    st.just("source"),
    st.tuples(st.sampled_from(["app-1", "app-2"]), st.integers(1, 4), st.one_of(st.none(), st.sampled_from(IDS))),
)
looks = st.tuples(st.just("look"), st.sampled_from(get_args(ResourceSort)))
steps = st.lists(st.one_of(puts, puts, removals, uses, looks), max_size=30)
some_classes = st.frozensets(st.sampled_from(CLASSES), max_size=2)
queries = st.builds(
    ResourceQuery,
    inventory_id=st.one_of(st.none(), st.sampled_from([*INVENTORIES, "inv-9"]).map(InventoryId)),
    classes=some_classes,
    exclude_classes=some_classes,
    tags=st.frozensets(st.sampled_from(TAGS), max_size=2),
    status=st.one_of(st.none(), st.sampled_from(get_args(CoverageStatus))),
    search=st.one_of(st.just(""), words),
    sort=st.sampled_from(get_args(ResourceSort)),
)


class Model:
    """The same, by looking at each resource. Same revisions with other contents do not happen, so the first counts."""

    def __init__(self) -> None:
        self.rows: dict[str, Document] = {}
        self.removed: dict[str, int] = {}
        self.sources: dict[str, tuple[int, str | None]] = {}

    def put(self, document: Document) -> None:
        row_id, revision = document["id"], document["revision"]
        known = self.rows.get(row_id)
        if self.removed.get(row_id, 0) < revision and (known is None or known["revision"] < revision):
            self.rows[row_id] = document

    def remove(self, row_id: str, revision: int) -> None:
        self.removed[row_id] = max(revision, self.removed.get(row_id, 0))
        if row_id in self.rows and self.rows[row_id]["revision"] < revision:
            del self.rows[row_id]

    def use(self, app_id: str, revision: int, row_id: str | None) -> None:
        if self.sources.get(app_id, (0, None))[0] < revision:
            self.sources[app_id] = revision, row_id

    def status(self, row: Document) -> str:
        if row["excluded_from_coverage"]:
            return "excluded"
        return "protected" if row["id"] in {used for _, used in self.sources.values()} else "unprotected"

    def select(self, query: ResourceQuery) -> list[str]:
        needle = query.search.casefold()
        found = [
            row
            for row in self.rows.values()
            if query.inventory_id in (None, row["inventory_id"])
            and (not query.classes or row["class"] in query.classes)
            and row["class"] not in query.exclude_classes
            and query.tags <= set(row["tags"])
            and query.status in (None, self.status(row))
            and (needle in row["urn"].casefold() or needle in row["name"].casefold())
        ]
        keys = {
            "created": lambda row: "",
            "name": lambda row: row["name"].casefold(),
            "urn": lambda row: row["urn"].casefold(),
            "class": lambda row: row["class"],
            "inventory": lambda row: row["inventory_id"],
        }
        key = keys[query.sort.removeprefix("-")]
        ordered = [row["id"] for row in sorted(found, key=lambda row: (key(row), row["id"]))]
        return ordered[::-1] if query.sort.startswith("-") else ordered


def told(happened: list[tuple[str, Any]]) -> tuple[ResourceRows, Model]:
    """Both, after the same things happened."""
    rows, model = ResourceRows(), Model()
    for each in INVENTORIES:
        rows.put_inventory(KnownInventory(InventoryId(each), each, TYPES[each], 1))
    for kind, what in happened:
        if kind == "put":
            rows.put(what)
            model.put(what)
        elif kind == "remove":
            rows.remove(*what)
            model.remove(*what)
        elif kind == "source":
            app_id, revision, row_id = what
            rows.put_source(AppId(app_id), revision, ResourceId(row_id) if row_id else None)
            model.use(app_id, revision, row_id)
        else:
            # An order that was asked for once is kept up from then on.
            select(rows, ResourceQuery(sort=what))
    return rows, model


@given(steps, queries)
def test_a_search_finds_what_looking_at_each_resource_finds(happened: list[Any], query: ResourceQuery) -> None:
    rows, model = told(happened)
    found = [listed(rows, slot) for slot in select(rows, query)]
    assert [each.id for each in found] == model.select(query)
    for each in found:
        assert each.model_dump(by_alias=True)["revision"] == model.rows[each.id]["revision"]
        assert each.coverage_status == model.status(model.rows[each.id])
        assert each.inventory_type == TYPES[each.inventory_id]


@given(steps)
def test_figures_are_those_of_the_rows(happened: list[Any]) -> None:
    rows, model = told(happened)
    counted = [r for r in model.rows.values() if r["class"] or r["inventory_id"] == "inv-1"]
    coverage = coverage_of(rows).model_dump()
    assert coverage == {s: sum(model.status(r) == s for r in counted) for s in get_args(CoverageStatus)}
    assert tag_sets_of(rows) == Counter(tuple(row["tags"]) for row in model.rows.values())
    for each in INVENTORIES:
        figures = figures_of(rows, InventoryId(each), TYPES[each])
        within = [r for r in model.rows.values() if r["inventory_id"] == each]
        assert figures.count == len(within)
        assert {s.class_: s.count for s in figures.summaries} == {
            c: sum(r["class"] == c for r in within) for c in {r["class"] for r in within}
        }


@given(steps)
def test_values_that_no_row_has_any_more_take_no_room(happened: list[Any]) -> None:
    rows, model = told(happened)
    kept = model.rows.values()
    assert len(rows.columns.tag_sets) == len({tuple(row["tags"]) for row in kept})
    assert len(rows.columns.classes) == len({row["class"] for row in kept})
    assert len(rows.columns.inventories) == len({row["inventory_id"] for row in kept})


@given(steps)
def test_what_happened_twice_changes_nothing(happened: list[Any]) -> None:
    rows, _ = told(happened)
    again, _ = told([*happened, *happened])
    for sort in get_args(ResourceSort):
        query = ResourceQuery(sort=sort)
        assert [listed(again, s) for s in select(again, query)] == [listed(rows, s) for s in select(rows, query)]


@given(steps, documents(), st.sampled_from(INVENTORIES))
def test_a_removed_inventory_takes_its_rows_along_for_good(happened: list[Any], late: Document, gone: str) -> None:
    rows, model = told(happened)
    rows.remove_inventory(InventoryId(gone))
    rows.put({**late, "revision": 9})
    left = {r for r in model.rows if model.rows[r]["inventory_id"] != gone}
    left |= {late["id"]} if late["inventory_id"] != gone else set()
    left -= {r for r, revision in model.removed.items() if r == late["id"] and revision >= 9}
    # In each order, as those that were asked for before the removal are kept up.
    for sort in get_args(ResourceSort):
        found = [listed(rows, slot).id for slot in select(rows, ResourceQuery(sort=sort))]
        assert (len(found), set(found)) == (len(left), left)
