"""What differs between two big restore points, beside `restic diff` of the same."""

from functools import partial
from itertools import pairwise

from tests.benchmarks.bench import timed
from tests.benchmarks.restore_points import IndexedStore
from tests.benchmarks.result import Result, median, percentile

PAIRS = 5
AGAIN = 20


def diff_page(of: IndexedStore) -> Result:
    """First page of what differs between neighbours, one file in a thousand changed, each asked for the first time."""
    while len(of.snapshots) <= PAIRS:
        of.add_changed(share=0.001)
    pairs = list(pairwise(of.snapshots))[-PAIRS:]
    with of.bench.connection() as connection:
        connection.get(f"/snapshots/{of.snapshot}/files?path=/")
        first = [timed(partial(connection.get, _page(pair))) * 1000 for pair in pairs]
        again = [timed(partial(connection.get, _page(pair))) * 1000 for pair in pairs * AGAIN]
    peer = [timed(partial(of.bench.by_hand, of.repository, "diff", *pair)) * 1000 for pair in pairs]
    return Result(
        "diff_page", median(first), "ms", "well below 1 s", peer="restic diff", peer_value=median(peer),
        baseline=of.bench.baseline.get, p50=median(first), p99=percentile(first, 0.99),
        detail=f"100 rows between {PAIRS} pairs of restore points of {of.entries} entries, 0.1 % of the files changed, "
        f"each pair for the first time: {', '.join(f'{ms:.0f}' for ms in first)}; again: median {median(again):.1f} ms",
    )  # fmt: skip


def _page(pair: tuple[str, str]) -> str:
    return f"/snapshots/{pair[0]}/diff/{pair[1]}?limit=100"
