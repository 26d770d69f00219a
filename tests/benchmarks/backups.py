"""A backup through Cairn beside the same `restic backup` by hand."""

import os
import shutil
import time
from datetime import datetime
from pathlib import Path

from cairn_local.api import Api

from tests.benchmarks.ground import Ground, make_random_files, timed
from tests.benchmarks.result import Result, median

PAIRS = 6


def backup_overhead(ground: Ground) -> Result:
    """1 GiB in 20,000 files, each time into a new store, the two in turn."""
    pairs = Pairs(ground, ground.api())
    [_, *counted] = [pairs.measure(n) for n in range(PAIRS + 1)]
    by_hand, through = zip(*counted, strict=True)
    ratios = sorted(h / t for h, t in counted)
    return Result(
        "backup_overhead", median(through), "s", "ratio >= 0.95", peer="restic backup", peer_value=median(by_hand),
        detail=f"{PAIRS} pairs after one uncounted, each of the two first in every other pair; "
        f"pair by pair {', '.join(f'{r:.2f}' for r in ratios)}; from asking until it can be browsed",
    )  # fmt: skip


class Pairs:
    """Backs up one source in both ways, each time into an empty store that is removed afterwards."""

    def __init__(self, ground: Ground, api: Api) -> None:
        self.ground, self.api = ground, api
        self.source = ground.root / "twenty-thousand"
        make_random_files(self.source, files=ground.size(20_000), total_bytes=ground.size(1 << 30))
        self.origin = ground.connector(api, "source", self.source)

    def measure(self, n: int) -> tuple[float, float]:
        """Seconds by hand, and through Cairn, which goes first when `n` is even."""
        stores = [self.ground.root / f"{way}-{n}" for way in ("by-hand", "through")]
        ways = [lambda: self._by_hand(stores[0]), lambda: self._through(stores[1])]
        order = (1, 0) if n % 2 == 0 else (0, 1)
        took = {way: ways[way]() for way in order}
        for store in stores:
            shutil.rmtree(store)
        return took[0], took[1]

    def _by_hand(self, store: Path) -> float:
        self.ground.by_hand(store, "init")
        os.sync()
        return timed(lambda: self.ground.by_hand(store, "backup", ".", "--json", "--quiet", cwd=self.source))

    def _through(self, store: Path) -> float:
        target = self.ground.connector(self.api, "store", store)
        self.api.post(f"/connectors/{target}/stores/create")
        os.sync()
        return self._back_up_into(target)

    def _back_up_into(self, target: str) -> float:
        """The request, and from the job's creation to its end; asked rarely, as asking takes time from the backup."""
        began = time.perf_counter()
        run = self.api.start_backup(self.origin, target)
        asking = time.perf_counter() - began
        job = self.api.wait_for_run(run, deadline_seconds=3600, pause_seconds=1)
        if job["status"] != "succeeded":
            raise RuntimeError(self.api.job_log(job["id"]))
        created, stopped = (datetime.fromisoformat(job[at]) for at in ("created_at", "stopped_at"))
        return asking + (stopped - created).total_seconds()
