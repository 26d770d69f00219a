"""Lists of many resources: any page, any part of a name, through the gateway."""

import random
from urllib.parse import urlencode

from tests.benchmarks.bench import Bench, timed
from tests.benchmarks.imports import import_list, list_of
from tests.benchmarks.result import Result, median, percentile

RESOURCES, ASKED, UNCOUNTED = 100_000, 600, 30
SORTS = ("created", "name", "-name", "urn", "class")


def resource_search(bench: Bench) -> Result:
    """A page of 50 of many resources: of all in some order, or of those that some text is part of."""
    count, api = bench.size(RESOURCES), bench.api()
    inventory = api.create_inventory("searched")
    import_list(api, inventory, list_of(count, "machine"))
    chance = random.Random(0)
    with bench.connection() as connection:

        def ask(parameters: dict[str, str | int]) -> float:
            return timed(lambda: connection.get(f"/inventories/resources?{urlencode(parameters)}")) * 1000

        # The first of each order makes it.
        first = max(ask({"sort": sort, "limit": 50}) for sort in SORTS)
        for _ in range(UNCOUNTED):
            ask(_page(chance, count))
        pages = [ask(_page(chance, count)) for _ in range(ASKED // 2)]
        parts = [ask(_part(chance, count)) for _ in range(ASKED // 2)]
    found = [*pages, *parts]
    told = f"any page in {len(SORTS)} orders {_told(pages)}; parts of names and URNs {_told(parts)}"
    return Result(
        "resource_search", median(found), "ms", "p50 20 ms, p99 100 ms", p50=median(found), p99=percentile(found, 0.99),
        detail=f"{count} resources, {len(found)} pages of 50: {told}; first page of an order {first:.0f} ms at most",
    )  # fmt: skip


def _told(took: list[float]) -> str:
    return f"p50 {median(took):.1f} ms, p99 {percentile(took, 0.99):.1f} ms"


def _page(chance: random.Random, count: int) -> dict[str, str | int]:
    return {"limit": 50, "offset": chance.randrange(max(count - 50, 1)), "sort": chance.choice(SORTS)}


def _part(chance: random.Random, count: int) -> dict[str, str | int]:
    """A text that many, few or no names or URNs have; never the same twice in a row."""
    number = f"{chance.randrange(count):06}"
    first = chance.randrange(5)
    text = chance.choice((number, number[first:], f"machine {number[:first]}", f"h:{number[3:]}", f"no {number}"))
    return {"limit": 50, "search": text, "sort": chance.choice(SORTS)}
