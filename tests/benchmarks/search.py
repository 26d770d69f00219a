"""Finding files by their names, beside `restic find` on the same repository."""

import random
import string
from functools import partial
from urllib.parse import quote

from tests.benchmarks.bench import Bench, timed
from tests.benchmarks.restore_points import IndexedStore
from tests.benchmarks.result import Result, median, percentile

REQUESTS = 300
PEER_RUNS = 3
NAMED_ENTRIES, NAMED_POINTS = 200_000, 10


def search_name(bench: Bench) -> Result:
    """A name in 10 restore points that differ in 0.1 % of their files, through the gateway."""
    of = IndexedStore(bench, "named", entries=NAMED_ENTRIES)
    for _ in range(1, NAMED_POINTS):
        of.add_changed(share=0.001)
    chance = random.Random(17)
    names = [f"file-{d[-5:]}-{chance.randrange(99):03}.dat" for d in chance.choices(of.directories, k=REQUESTS + 1)]
    first, *took = [timed(partial(_find_name, of, name)) * 1000 for name in names]
    peer = [timed(partial(of.bench.by_hand, of.repository, "find", name)) * 1000 for name in names[:PEER_RUNS]]
    p95 = percentile(took, 0.95)
    return Result(
        "search_name", p95, "ms", "p95 40 ms, ratio >= 250", peer="restic find", peer_value=median(peer),
        baseline=bench.baseline.get, p50=median(took), p99=percentile(took, 0.99),
        detail=f"p95 of {REQUESTS} random names, each in all of {NAMED_POINTS} restore points of {of.entries} entries; "
        f"the first, nothing in memory: {first:.0f} ms",
    )  # fmt: skip


def _find_name(of: IndexedStore, name: str) -> None:
    [row] = of.api.get(f"/search?q={name}&store_id={of.store}")["items"]
    if row["restore_points_total"] != NAMED_POINTS:
        raise RuntimeError(f"{name} was found in {row['restore_points_total']} restore points")


def search_substring(big: IndexedStore) -> Result:
    """The first page of what has a text in its name, in one restore point, through the gateway."""
    chance = random.Random(19)
    third = REQUESTS // 3
    kinds = {
        "rare": [f"{d[-4:]}-{chance.randrange(99):03}" for d in chance.choices(big.directories, k=third)],
        "common": [f"{number:02}" for number in range(third)],
        "absent": ["".join(chance.choices(string.ascii_letters, k=6)) for _ in range(third)],
    }
    cold = timed(partial(_find_part, big, "nothing of this name")) * 1000
    took = {kind: [timed(partial(_find_part, big, part)) * 1000 for part in parts] for kind, parts in kinds.items()}
    find = partial(big.bench.by_hand, big.repository, "find", "--snapshot", big.snapshot)
    peer = [timed(partial(find, f"*{part}*")) * 1000 for part in kinds["rare"][:PEER_RUNS]]
    each = [milliseconds for several in took.values() for milliseconds in several]
    told = ", ".join(f"{kind} {median(several):.1f} ms" for kind, several in took.items())
    return Result(
        "search_substring", median(each), "ms", "p50 500 ms", peer="restic find", peer_value=median(peer),
        baseline=big.bench.baseline.get, p50=median(each), p99=percentile(each, 0.99),
        detail=f"first pages of {len(each)} texts in {big.entries} names; medians: {told}; the first search, "
        f"nothing in memory: {cold:.0f} ms",
    )  # fmt: skip


def _find_part(big: IndexedStore, part: str) -> None:
    big.api.get(f"/snapshots/{big.snapshot}/search?q={quote(part)}")
