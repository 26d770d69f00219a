"""Opening, browsing and reading a big restore point, beside the restic process that would do the same."""

import random
import time
from functools import partial
from urllib.parse import quote

from cairn_local.api_client import Api, ApiProblem

from tests.benchmarks.bench import Bench, timed
from tests.benchmarks.generated_files import change_files, make_many_files
from tests.benchmarks.result import Result, median, percentile

REQUESTS = 400
PEER_RUNS = 5
INDEXED_WITHIN_SECONDS = 1800
INCREMENTS = 3
GROWING_ENTRIES, GROWTH_POINTS = 20_000, 100


class IndexedStore:
    """A tree of so many entries, backed up by restic alone, then adopted and indexed by Cairn, once per run."""

    def __init__(self, bench: Bench, name: str, *, entries: int) -> None:
        self.bench = bench
        self.tree, self.repository = bench.root / name, bench.root / f"{name}-store"
        self.directories = make_many_files(self.tree, entries=bench.size(entries))
        self.entries = len(self.directories) * 100
        bench.by_hand(self.repository, "init")
        self.api = bench.api()
        self.store = bench.connector(self.api, "store", self.repository)
        self.snapshots: list[str] = []
        self.seconds: list[float] = []
        self.add_restore_point()

    @property
    def snapshot(self) -> str:
        """The first restore point."""
        return self.snapshots[0]

    def add_changed(self, *, share: float) -> int:
        """Change a share of the files and add a restore point; how many files were changed."""
        changed = change_files(self.tree, share=share, seed=len(self.snapshots))
        self.add_restore_point()
        return changed

    def add_restore_point(self) -> None:
        """Back up by restic, then index: from asking until it can be browsed."""
        snapshot = self.bench.back_up_by_hand(self.repository, self.tree)
        began = time.perf_counter()
        self.api.post(f"/connectors/{self.store}/stores/{'refresh' if self.snapshots else 'create'}")
        wait_until_browsable(self.api, snapshot)
        self.seconds.append(time.perf_counter() - began)
        self.snapshots.append(snapshot)


def wait_until_browsable(api: Api, snapshot: str) -> None:
    until = time.monotonic() + INDEXED_WITHIN_SECONDS
    while time.monotonic() < until:
        try:
            api.get(f"/snapshots/{snapshot}/files?path=/")
            return
        except ApiProblem as problem:
            if problem.status not in (404, 503):
                raise
        time.sleep(0.05)
    raise TimeoutError(f"the restore point could not be browsed within {INDEXED_WITHIN_SECONDS} s")


def index_cold(of: IndexedStore, *, label: str = "") -> Result:
    """Index it, nothing known before, until browsable; beside `restic ls --json` of it."""
    first = of.snapshot
    peer = min(timed(lambda: of.bench.by_hand(of.repository, "ls", "--json", first)) for _ in range(3))
    goal = {"": "ratio >= 3", "_10k": "ratio >= 1.5"}.get(label, "-")
    return Result(
        f"index_cold{label}", of.seconds[0], "s", goal, peer="restic ls --json", peer_value=peer,
        detail=f"{of.entries} entries; from asking to adopt the store until its root opens through the gateway, once; "
        "the peer's best of three",
    )  # fmt: skip


def index_incremental(of: IndexedStore) -> Result:
    """Index the next restore point with one file in a thousand changed, until browsable."""
    changed = [of.add_changed(share=0.001) for _ in range(INCREMENTS)]
    took = of.seconds[-INCREMENTS:]
    return Result(
        "index_incremental", median(took), "s", "0.5 s", peer="index_cold of the first", peer_value=of.seconds[0],
        detail=f"median of {INCREMENTS}, each with {changed[0]} of {of.entries} entries changed; "
        f"all: {', '.join(f'{s:.2f}' for s in took)}",
    )  # fmt: skip


def index_growth(bench: Bench) -> Result:
    """What the index keeps after each of 100 restore points with one file in a thousand changed."""
    store = IndexedStore(bench, "growing", entries=GROWING_ENTRIES)
    kept = {1: bench.index_documents(store.store)}
    for number in range(2, GROWTH_POINTS + 1):
        store.add_changed(share=0.001)
        if number in (2, 10, 50, GROWTH_POINTS):
            kept[number] = bench.index_documents(store.store)
    sizes = {number: size / 2**20 for number, (_, size) in kept.items()}
    told = "; ".join(f"after {n}: {sizes[n]:.2f} MiB, {kept[n][0]} documents" for n in sizes)
    return Result(
        "index_growth", sizes[GROWTH_POINTS], "MiB", "grows with what changes", peer="each kept whole",
        peer_value=sizes[1] * GROWTH_POINTS,
        detail=f"{GROWTH_POINTS} restore points of {store.entries} entries, 0.1 % of the files changed each; {told}",
    )  # fmt: skip


def browse_directory(big: IndexedStore, *, label: str = "") -> Result:
    """Open any directory through the gateway; beside `restic ls` of that directory."""
    chance = random.Random(11)
    chosen = [chance.choice(big.directories) for _ in range(REQUESTS)]
    paths = [f"/snapshots/{big.snapshot}/files?path={quote(d, safe='')}&limit=500" for d in chosen]
    with big.bench.connection() as connection:
        connection.get(paths[0])
        ours = [timed(partial(connection.get, path)) * 1000 for path in paths]
    ls = partial(big.bench.by_hand, big.repository, "ls", big.snapshot)
    peer = [timed(partial(ls, d)) * 1000 for d in chosen[:PEER_RUNS]]
    return Result(
        f"browse_directory{label}", median(ours), "ms", "4 GETs (p50 2 ms), p99 20 ms, ratio >= 100", peer="restic ls",
        baseline=big.bench.baseline.get, peer_value=median(peer), p50=median(ours), p99=percentile(ours, 0.99),
        detail=f"{REQUESTS} random directories of 99 entries in a restore point of {big.entries}, over one connection "
        "of http.client that is kept",
    )  # fmt: skip


def first_byte(big: IndexedStore) -> Result:
    """First byte of a small file through the gateway, store already open; beside `restic dump`."""
    chance = random.Random(13)
    files = [f"{d}/file-{d[-5:]}-{chance.choice((0, 50)):03}.dat" for d in chance.choices(big.directories, k=REQUESTS)]
    paths = [f"/snapshots/{big.snapshot}/content?path={quote(f, safe='')}" for f in files]
    with big.bench.connection() as connection:
        connection.get(paths[0])
        ours = [timed(partial(connection.get, path)) * 1000 for path in paths]
    dump = partial(big.bench.by_hand, big.repository, "dump", big.snapshot)
    peer = [timed(partial(dump, f)) * 1000 for f in files[:PEER_RUNS]]
    return Result(
        "first_byte", median(ours), "ms", "8 GETs (p50 8 ms), ratio >= 100", peer="restic dump",
        peer_value=median(peer), baseline=big.bench.baseline.get,
        p50=median(ours), p99=percentile(ours, 0.99),
        detail=f"{REQUESTS} random files of 1 KiB, over one connection of http.client that is kept",
    )  # fmt: skip
