"""A restore through Cairn beside the same `restic restore` by hand."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

from cairn_local.api_client import Api

from tests.benchmarks.bench import Bench, timed
from tests.benchmarks.generated_files import make_random_files
from tests.benchmarks.result import Result, median

PAIRS = 6
FILES, BYTES = 40_000, 2 << 30


def restore_overhead(bench: Bench) -> Result:
    """The tree of `backup_overhead`, each time into a directory that is not there, the two in turn.

    Cairn's time is that of the whole job and so has everything read back and compared, which `restic restore` does
    only with `--verify`: that is timed once, for comparison.
    """
    pairs = Pairs(bench, bench.api(), files=bench.size(FILES), total_bytes=bench.size(BYTES))
    # The first pair is left out: it fills caches and starts what is started late.
    [_, *counted] = [pairs.measure(n) for n in range(PAIRS + 1)]
    with_verify = pairs.by_hand("--verify")
    by_hand, through = zip(*counted, strict=True)
    ratios = sorted(h / t for h, t in counted)
    return Result(
        "restore_overhead", median(through), "s", "ratio >= 0.95", peer="restic restore", peer_value=median(by_hand),
        detail=f"{bench.size(FILES)} files; the median of {PAIRS} pairs {median(ratios):.2f}; pair by pair "
        f"{', '.join(f'{r:.2f}' for r in ratios)}; through Cairn with everything read back and compared, from asking "
        f"to the job's end; `restic restore --verify` takes {with_verify:.2f} s; {pairs.busy} runs began on a busy "
        "machine",
    )  # fmt: skip


class Pairs:
    """Restores one restore point in both ways, each time into a directory that is removed afterwards."""

    def __init__(self, bench: Bench, api: Api, *, files: int, total_bytes: int) -> None:
        self.bench, self.api = bench, api
        self.busy = 0
        """How many runs began beside other work of the machine."""
        source = bench.root / "restored-files"
        make_random_files(source, files=files, total_bytes=total_bytes)
        self.repository, self.targets = bench.root / "restored-store", bench.root / "targets"
        self.targets.mkdir()
        origin = bench.connector(api, "source", source)
        self.store = bench.connector(api, "store", self.repository)
        self.destination = bench.connector(api, "destination", self.targets / "through")
        api.post(f"/connectors/{self.store}/stores/create")
        self._wait(api.start_backup(origin, self.store))
        shutil.rmtree(source)

    def measure(self, n: int) -> tuple[float, float]:
        """Seconds by hand, and through Cairn, which goes first when `n` is even."""
        ways = {0: self.by_hand, 1: self.through}
        took = {way: ways[way]() for way in ((1, 0) if n % 2 == 0 else (0, 1))}
        return took[0], took[1]

    def by_hand(self, *options: str) -> float:
        """Seconds of `restic restore`."""
        target = self._begin("by-hand")
        arguments = ("restore", "latest", "--quiet", "--target", str(target), *options)
        took = timed(lambda: self.bench.by_hand(self.repository, *arguments))
        self._end(target)
        return took

    def through(self) -> float:
        """Seconds from the request to the job's end by one clock; asked rarely, as asking takes time."""
        target = self._begin("through")
        began = datetime.now(UTC)
        body = {"type": "restore", "origin_id": self.store, "target_id": self.destination}
        job = self._wait(self.api.post("/scheduling/scheduler/run", body)["id"])
        took = (datetime.fromisoformat(job["stopped_at"]) - began).total_seconds()
        self._end(target)
        return took

    def _begin(self, name: str) -> Path:
        os.sync()
        self.busy += not self.bench.is_idle_soon()
        return self.targets / name

    def _end(self, target: Path) -> None:
        # Now: the page cache that it frees serves the next run, which otherwise pays for allocating memory.
        shutil.rmtree(target)

    def _wait(self, run: str) -> dict[str, str]:
        job = self.api.wait_for_run(run, deadline_seconds=3600, pause_seconds=3)
        if job["status"] != "succeeded":
            raise RuntimeError(self.api.job_log(job["id"]))
        return job
