"""A backup through Cairn beside the same `restic backup` by hand."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

from cairn_local.api_client import Api

from tests.benchmarks.bench import Bench, timed
from tests.benchmarks.generated_files import make_random_files
from tests.benchmarks.result import Result, median

PAIRS = 10
FILES, BYTES = 40_000, 2 << 30
FEW_FILES, FEW_BYTES = 100, 5 << 20
_TIMED = "from asking until it can be browsed"


def backup_overhead(bench: Bench) -> Result:
    """2 GiB in 40,000 files, each time into a new store, the two in turn."""
    counted, turns = _pairs(bench, "many", files=bench.size(FILES), total_bytes=bench.size(BYTES))
    by_hand, through = zip(*counted, strict=True)
    ratios = sorted(h / t for h, t in counted)
    return Result(
        "backup_overhead", median(through), "s", "ratio >= 0.95", peer="restic backup", peer_value=median(by_hand),
        detail=f"{bench.size(FILES)} files; {turns}; the median of the pairs {median(ratios):.2f}; "
        f"pair by pair {', '.join(f'{r:.2f}' for r in ratios)}; {_TIMED}",
    )  # fmt: skip


def backup_fixed_cost(bench: Bench) -> Result:
    """How much longer a backup of a hundred files takes through Cairn than by hand."""
    counted, turns = _pairs(bench, "few", files=FEW_FILES, total_bytes=FEW_BYTES)
    by_hand, through = zip(*counted, strict=True)
    more = sorted(t - h for h, t in counted)
    return Result(
        "backup_fixed_cost", median(more), "s", "0.3 s", p50=median(more), p99=more[-1],
        detail=f"{FEW_FILES} files, seconds more than `restic backup` by hand: by hand {median(by_hand):.2f} s, "
        f"through Cairn {median(through):.2f} s; {turns}; pair by pair "
        f"{', '.join(f'{s:.2f}' for s in more)}; {_TIMED}",
    )  # fmt: skip


def _pairs(bench: Bench, name: str, *, files: int, total_bytes: int) -> tuple[list[tuple[float, float]], str]:
    """Seconds by hand and through Cairn, and how they were had.

    The first pair is left out: it fills caches and starts what is started late.
    """
    pairs = Pairs(bench, bench.api(), name, files=files, total_bytes=total_bytes)
    [_, *counted] = [pairs.measure(n) for n in range(PAIRS + 1)]
    shutil.rmtree(pairs.source)
    turns = (
        f"{PAIRS} pairs after one uncounted, each of the two first in every other pair, into a store that was just "
        f"made; {pairs.busy} of {2 * PAIRS + 2} runs began on a busy machine"
    )
    return counted, turns


class Pairs:
    """Backs up one source in both ways, each time into an empty store that is removed afterwards."""

    def __init__(self, bench: Bench, api: Api, name: str, *, files: int, total_bytes: int) -> None:
        self.bench, self.api, self.name = bench, api, name
        self.busy = 0
        """How many runs began beside other work of the machine."""
        self.source = bench.root / f"{name}-files"
        make_random_files(self.source, files=files, total_bytes=total_bytes)
        self.origin = bench.connector(api, "source", self.source)

    def measure(self, n: int) -> tuple[float, float]:
        """Seconds by hand, and through Cairn, which goes first when `n` is even."""
        stores = [self.bench.root / f"{self.name}-{way}-{n}" for way in ("by-hand", "through")]
        ways = [lambda: self._by_hand(stores[0]), lambda: self._through(stores[1])]
        took = {}
        for way in (1, 0) if n % 2 == 0 else (0, 1):
            took[way] = ways[way]()
            # Now: the page cache that it frees serves the next run, which otherwise pays for allocating memory.
            shutil.rmtree(stores[way])
        return took[0], took[1]

    def _by_hand(self, store: Path) -> float:
        self.bench.by_hand(store, "init")
        self._begin()
        return timed(lambda: self.bench.by_hand(store, "backup", ".", "--json", "--quiet", cwd=self.source))

    def _through(self, store: Path) -> float:
        target = self.bench.connector(self.api, "store", store)
        self.api.post(f"/connectors/{target}/stores/create")
        self._begin()
        took = self._back_up_into(target)
        self.api.delete(f"/connectors/{target}")
        return took

    def _begin(self) -> None:
        """What was prepared is written, and what follows from it is done."""
        os.sync()
        self.busy += not self.bench.is_idle_soon()

    def _back_up_into(self, target: str) -> float:
        """From the request to the job's end by one clock; asked rarely, as asking takes time from the backup."""
        began = datetime.now(UTC)
        run = self.api.start_backup(self.origin, target)
        job = self.api.wait_for_run(run, deadline_seconds=3600, pause_seconds=3)
        if job["status"] != "succeeded":
            raise RuntimeError(self.api.job_log(job["id"]))
        return (datetime.fromisoformat(job["stopped_at"]) - began).total_seconds()
