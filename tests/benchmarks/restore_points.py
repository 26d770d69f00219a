"""Opening, browsing and reading a big restore point, beside the restic process that would do the same."""

import random
import time
from functools import partial
from urllib.parse import quote

from cairn_local.api import Api, ApiProblem

from tests.benchmarks.ground import Ground, make_many_files, timed
from tests.benchmarks.result import Result, median, percentile

REQUESTS = 400
PEER_RUNS = 5
INDEXED_WITHIN_SECONDS = 1800


class BigRestorePoint:
    """A restore point of 1,000,000 entries made by restic alone, then adopted and indexed by Cairn, once per run."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.repository = ground.root / "big-store"
        self.directories = make_many_files(ground.root / "big", entries=ground.size(1_000_000))
        ground.by_hand(self.repository, "init")
        ground.by_hand(self.repository, "backup", ".", "--quiet", cwd=ground.root / "big")
        self.api = ground.api()
        store = ground.connector(self.api, "store", self.repository)
        began = time.perf_counter()
        self.api.post(f"/connectors/{store}/stores/create")
        self.snapshot = _wait_until_browsable(self.api, store)
        self.indexed_seconds = time.perf_counter() - began


def _wait_until_browsable(api: Api, store: str) -> str:
    until = time.monotonic() + INDEXED_WITHIN_SECONDS
    while time.monotonic() < until:
        points = api.snapshots(store)
        try:
            if points and api.get(f"/snapshots/{points[0]['snapshot_id']}/files?path=/"):
                return str(points[0]["snapshot_id"])
        except ApiProblem as problem:
            if problem.status != 503:
                raise
        time.sleep(0.05)
    raise TimeoutError(f"the restore point could not be browsed within {INDEXED_WITHIN_SECONDS} s")


def index_cold(big: BigRestorePoint) -> Result:
    """Index it, nothing known before, until browsable; beside `restic ls --json` of it."""
    peer = min(timed(lambda: big.ground.by_hand(big.repository, "ls", "--json", "latest")) for _ in range(3))
    entries = len(big.directories) * 100
    return Result(
        "index_cold", big.indexed_seconds, "s", "ratio >= 1", peer="restic ls --json", peer_value=peer,
        detail=f"{entries} entries; from asking to adopt the store until its root opens through the gateway, once; "
        "the peer's best of three",
    )  # fmt: skip


def browse_directory(big: BigRestorePoint) -> Result:
    """Open any directory through the gateway; beside `restic ls` of that directory."""
    chance = random.Random(11)
    chosen = [chance.choice(big.directories) for _ in range(REQUESTS)]
    paths = [f"/snapshots/{big.snapshot}/files?path={quote(d, safe='')}&limit=500" for d in chosen]
    big.api.get(paths[0])
    ours = [timed(partial(big.api.get, path)) * 1000 for path in paths]
    peer = [timed(partial(big.ground.by_hand, big.repository, "ls", "latest", d)) * 1000 for d in chosen[:PEER_RUNS]]
    return Result(
        "browse_directory", median(ours), "ms", "p50 10 ms, p99 50 ms, ratio >= 100", peer="restic ls",
        peer_value=median(peer), p50=median(ours), p99=percentile(ours, 0.99),
        detail=f"{REQUESTS} random directories of 99 entries in a restore point of {len(big.directories) * 100}",
    )  # fmt: skip


def first_byte(big: BigRestorePoint) -> Result:
    """First byte of a small file through the gateway, store already open; beside `restic dump`."""
    chance = random.Random(13)
    files = [f"{d}/file-{d[-5:]}-{chance.choice((0, 50)):03}.dat" for d in chance.choices(big.directories, k=REQUESTS)]
    _first(big, files[0])
    ours = [timed(partial(_first, big, f)) * 1000 for f in files]
    peer = [timed(partial(big.ground.by_hand, big.repository, "dump", "latest", f)) * 1000 for f in files[:PEER_RUNS]]
    return Result(
        "first_byte", median(ours), "ms", "p50 20 ms, ratio >= 50", peer="restic dump", peer_value=median(peer),
        p50=median(ours), p99=percentile(ours, 0.99), detail=f"{REQUESTS} random files of 1 KiB",
    )  # fmt: skip


def _first(big: BigRestorePoint, path: str) -> None:
    query = f"/snapshots/{big.snapshot}/content?path={quote(path, safe='')}"
    with big.api.stream("GET", query) as response:
        next(response.iter_raw(1))
