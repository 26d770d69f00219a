"""What indexing weighs: restore points of five million entries, in one directory and in deep trees."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.bench import PASSWORD, Bench, open_bench
from tests.benchmarks.platform import own_processes
from tests.benchmarks.restore_points import wait_until_browsable
from tests.benchmarks.result import Result
from tests.support.synthetic import write_deep, write_flat

ENTRIES = 5_000_000
SIDES = ("connector", "restore-index")


def index_memory_flat(bench: Bench) -> Result:
    """All entries in one directory."""
    return _index_memory(bench, "index_memory_flat", write_flat)


def index_memory_deep(bench: Bench) -> Result:
    """Ten entries in each directory, two of them directories."""
    return _index_memory(bench, "index_memory_deep", write_deep)


def _index_memory(bench: Bench, name: str, write: Callable[..., str]) -> Result:
    """Peak resident memory of the worker and of the index, on a platform of their own that does nothing else."""
    entries, repository = bench.size(ENTRIES), bench.root / f"{name}-store"
    snapshot = write(repository, PASSWORD, entries=entries)
    with open_bench(bench.root / name, scale=bench.scale, restic=bench.restic) as alone:
        api = alone.api()
        store = alone.connector(api, "store", repository)
        processes = own_processes(alone.status())
        began = time.perf_counter()
        api.post(f"/connectors/{store}/stores/create")
        wait_until_browsable(api, snapshot)
        seconds = time.perf_counter() - began
        peaks = {side: _peak_mib(processes[side]) for side in SIDES}
    shutil.rmtree(repository)
    told = ", ".join(f"{side} {peak:.0f} MiB" for side, peak in peaks.items())
    detail = f"{entries} entries in {seconds:.1f} s, {entries / seconds:,.0f} entries/s; peak from the start on: {told}"
    return Result(name, max(peaks.values()), "MiB", "300 MiB", detail=detail)


def _peak_mib(pid: int) -> float:
    """The most a process ever had in memory; read from Linux, in MiB."""
    told = Path(f"/proc/{pid}/status").read_text().splitlines()
    (kib,) = (line.split()[1] for line in told if line.startswith("VmHWM:"))
    return int(kib) / 1024
