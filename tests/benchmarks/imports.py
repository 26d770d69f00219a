"""A list of resources that an inventory takes, and the API meanwhile."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from cairn_local.api_client import Api

from tests.benchmarks.bench import Bench, timed
from tests.benchmarks.result import Result, median, percentile

ROWS = 100_000
POLL_SECONDS = 0.25
ASK_SECONDS = 0.02


def resource_import(bench: Bench) -> Result:
    """Seconds until an empty inventory holds a list, what the API answers meanwhile, and the list again."""
    count, api = bench.size(ROWS), bench.api()
    inventory = api.create_inventory("imported")
    with ThreadPoolExecutor(1) as threads, bench.connection() as connection:
        importing = threads.submit(timed, partial(import_list, api, inventory, list_of(count, "machine")))
        asked: list[float] = []
        while not importing.done():
            asked.append(timed(partial(connection.get, "/account/me")) * 1000)
            time.sleep(ASK_SECONDS)
        took = importing.result()
    unchanged = timed(partial(import_list, api, inventory, list_of(count, "machine")))
    changed = timed(partial(import_list, api, inventory, list_of(count, "server")))
    return Result(
        "resource_import", took, "s", "180 s for 100,000 rows", p50=median(asked), p99=percentile(asked, 0.99),
        detail=f"{count} rows into an empty inventory, until its operation ended; the same again {unchanged:.1f} s, "
        f"with another name in each row {changed:.1f} s; p50 and p99, in ms: {len(asked)} GET /account/me meanwhile",
    )  # fmt: skip


def list_of(count: int, name: str) -> bytes:
    """A list of so many resources, each named by `name` and its number."""
    lines = (f"compute;{name} {n};urn:bench:{n:06};m{n:06}.example.com,10.0.{n % 250}.7\n" for n in range(count))
    return "".join(lines).encode()


def import_list(api: Api, inventory: str, content: bytes) -> None:
    """Have an inventory hold what a list says; returns once it does."""
    headers = {"content-type": "application/octet-stream"}
    path = f"/inventories/{inventory}/resources/bulk"
    answer = api.call("POST", path, content=content, headers=headers)
    if answer.status_code == 202:
        operation = f"/operations/{answer.json()['operation_id']}"
        while (found := api.get(operation))["status"] == "running":
            time.sleep(POLL_SECONDS)
        if found["status"] != "succeeded":
            raise RuntimeError(f"the list was not imported: {found['problem']}")
