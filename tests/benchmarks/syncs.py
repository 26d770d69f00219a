"""A sync of a store of which another one has everything, beside the same `restic copy` by hand."""

import os

from cairn_local.api_client import Api

from tests.benchmarks.bench import PASSWORD, Bench, timed
from tests.benchmarks.result import Result, median

POINTS, TURNS = 50, 9


def sync_unchanged(bench: Bench) -> Result:
    """From asking for a sync until its job has ended, where nothing is missing in the target."""
    api, points = bench.api(), bench.size(POINTS)
    origin, target = bench.root / "sync-origin", bench.root / "sync-target"
    tree = bench.root / "sync-files"
    tree.mkdir()
    stores = [bench.connector(api, "store", place) for place in (origin, target)]
    for store in stores:
        api.post(f"/connectors/{store}/stores/create")
    for number in range(points):
        (tree / str(number)).write_bytes(os.urandom(4096))
        bench.back_up_by_hand(origin, tree)
    _sync(api, *stores)
    by_hand = ["copy", "--from-repo", str(origin), "--json"]
    with_origin = {"RESTIC_FROM_PASSWORD": PASSWORD}
    took = [
        (timed(lambda: _sync(api, *stores)), timed(lambda: bench.by_hand(target, *by_hand, variables=with_origin)))
        for _ in range(TURNS)
    ]
    ours = sorted(mine for mine, _ in took)
    return Result(
        "sync_unchanged", median(ours), "s", "3 s and two key derivations", p50=median(ours), p99=ours[-1],
        peer="restic copy", peer_value=median([other for _, other in took]),
        detail=f"{points} restore points in both stores, {TURNS} times in turn; the worker has both keys by then",
    )  # fmt: skip


def _sync(api: Api, origin: str, target: str) -> None:
    job = api.wait_for_run(api.start_run("sync", origin, target), deadline_seconds=600, pause_seconds=0.05)
    if job["status"] != "succeeded":
        raise RuntimeError(api.job_log(job["id"]))
