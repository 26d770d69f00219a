"""A backup through Cairn beside the same `restic backup` by hand."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

from cairn_local.api import Api

from tests.benchmarks.ground import Ground, await_idle, make_random_files, timed
from tests.benchmarks.result import Result, median

PAIRS = 10
FILES, BYTES = 40_000, 2 << 30
FEW_FILES, FEW_BYTES = 100, 5 << 20


def backup_overhead(ground: Ground) -> Result:
    """2 GiB in 40,000 files, each time into a new store, the two in turn."""
    counted = _pairs(ground, "many", files=ground.size(FILES), total_bytes=ground.size(BYTES))
    by_hand, through = zip(*counted, strict=True)
    ratios = sorted(h / t for h, t in counted)
    return Result(
        "backup_overhead", median(through), "s", "ratio >= 0.95", peer="restic backup", peer_value=median(by_hand),
        detail=f"{ground.size(FILES)} files; {_TURNS}; the median of the pairs {median(ratios):.2f}; "
        f"pair by pair {', '.join(f'{r:.2f}' for r in ratios)}; {_TIMED}",
    )  # fmt: skip


def backup_fixed_cost(ground: Ground) -> Result:
    """How much longer a backup of a hundred files takes through Cairn than by hand."""
    counted = _pairs(ground, "few", files=FEW_FILES, total_bytes=FEW_BYTES)
    by_hand, through = zip(*counted, strict=True)
    more = sorted(t - h for h, t in counted)
    return Result(
        "backup_fixed_cost", median(more), "s", "0.3 s", p50=median(more), p99=more[-1],
        detail=f"{FEW_FILES} files, seconds more than `restic backup` by hand: by hand {median(by_hand):.2f} s, "
        f"through Cairn {median(through):.2f} s; {_TURNS}; pair by pair "
        f"{', '.join(f'{s:.2f}' for s in more)}; {_TIMED}",
    )  # fmt: skip


_TURNS = f"{PAIRS} pairs after one uncounted, each of the two first in every other pair, begun on an idle machine"
_TIMED = "from asking until it can be browsed"


def _pairs(ground: Ground, name: str, *, files: int, total_bytes: int) -> list[tuple[float, float]]:
    """Seconds by hand and through Cairn, the first pair left out: it fills caches and starts what is started late."""
    pairs = Pairs(ground, ground.api(), name, files=files, total_bytes=total_bytes)
    [_, *counted] = [pairs.measure(n) for n in range(PAIRS + 1)]
    shutil.rmtree(pairs.source)
    return counted


class Pairs:
    """Backs up one source in both ways, each time into an empty store that is removed afterwards."""

    def __init__(self, ground: Ground, api: Api, name: str, *, files: int, total_bytes: int) -> None:
        self.ground, self.api, self.name = ground, api, name
        self.source = ground.root / f"{name}-files"
        make_random_files(self.source, files=files, total_bytes=total_bytes)
        self.origin = ground.connector(api, "source", self.source)

    def measure(self, n: int) -> tuple[float, float]:
        """Seconds by hand, and through Cairn, which goes first when `n` is even."""
        stores = [self.ground.root / f"{self.name}-{way}-{n}" for way in ("by-hand", "through")]
        ways = [lambda: self._by_hand(stores[0]), lambda: self._through(stores[1])]
        took = {}
        for way in (1, 0) if n % 2 == 0 else (0, 1):
            await_idle()
            took[way] = ways[way]()
            # At once: the second one would else be the only one that finds no memory of files that are gone.
            shutil.rmtree(stores[way])
        return took[0], took[1]

    def _by_hand(self, store: Path) -> float:
        self.ground.by_hand(store, "init")
        os.sync()
        return timed(lambda: self.ground.by_hand(store, "backup", ".", "--json", "--quiet", cwd=self.source))

    def _through(self, store: Path) -> float:
        target = self.ground.connector(self.api, "store", store)
        self.api.post(f"/connectors/{target}/stores/create")
        os.sync()
        took = self._back_up_into(target)
        self.api.delete(f"/connectors/{target}")
        return took

    def _back_up_into(self, target: str) -> float:
        """From the request to the job's end by one clock; asked rarely, as asking takes time from the backup."""
        began = datetime.now(UTC)
        run = self.api.start_backup(self.origin, target)
        job = self.api.wait_for_run(run, deadline_seconds=3600, pause_seconds=1)
        if job["status"] != "succeeded":
            raise RuntimeError(self.api.job_log(job["id"]))
        return (datetime.fromisoformat(job["stopped_at"]) - began).total_seconds()
