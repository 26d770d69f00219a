"""`python -m tests.benchmarks [--only NAME,NAME]`: measure, print a table, write `build/bench.json`."""

import argparse
import os
import platform as machine
import tempfile
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

import psutil

from tests.benchmarks import (
    archives,
    backups,
    commands,
    contention,
    downloads,
    history,
    imports,
    job_history,
    live_stream,
    memory,
    platform,
    reader,
    resources,
    restore_points,
    restores,
    search,
    syncs,
)
from tests.benchmarks.bench import Bench, open_bench
from tests.benchmarks.restore_points import IndexedStore
from tests.benchmarks.result import Result, table, write
from tests.support.infra import find_restic

T = TypeVar("T")
OUTPUT = Path(__file__).parents[2] / "build" / "bench.json"


def benchmarks(bench: Bench) -> dict[str, Callable[[], Result]]:
    """All benchmarks by name, in the order they run."""
    big = cache(lambda: restore_points.IndexedStore(bench, "big", entries=1_000_000))
    large = cache(lambda: downloads.LargeFiles(bench))
    smaller = {
        label: cache(partial(restore_points.IndexedStore, bench, f"tree{label}", entries=entries))
        for label, entries in (("_10k", 10_000), ("_100k", 100_000))
    }
    return {
        "cold_start": lambda: platform.cold_start(bench),
        "idle_memory": lambda: platform.idle_memory(bench),
        "command_outcome": lambda: platform.command_outcome(bench),
        "job_history": lambda: job_history.job_history(bench),
        "command_rate": lambda: commands.command_rate(bench),
        "resource_import": lambda: imports.resource_import(bench),
        "resource_search": lambda: resources.resource_search(bench),
        "live_stream": lambda: live_stream.live_stream(bench),
        "backup_fixed_cost": lambda: backups.backup_fixed_cost(bench),
        "backup_overhead": lambda: backups.backup_overhead(bench),
        "restore_overhead": lambda: restores.restore_overhead(bench),
        "sync_unchanged": lambda: syncs.sync_unchanged(bench),
        **{f"index_cold{of}": partial(_on, smaller[of], restore_points.index_cold, of) for of in smaller},
        "index_cold": lambda: restore_points.index_cold(big()),
        **{f"browse_directory{of}": partial(_on, smaller[of], restore_points.browse_directory, of) for of in smaller},
        "browse_directory": lambda: restore_points.browse_directory(big()),
        "browse_under_index": lambda: contention.browse_under_index(big()),
        "first_byte": lambda: restore_points.first_byte(big()),
        "range_read": lambda: downloads.range_read(large()),
        "download_throughput": lambda: downloads.download_throughput(large()),
        "archive_throughput": lambda: archives.archive_throughput(archives.Folder(bench)),
        "search_name": lambda: search.search_name(bench),
        "search_substring": lambda: search.search_substring(big()),
        "index_incremental": lambda: restore_points.index_incremental(big()),
        "diff_page": lambda: history.diff_page(big()),
        "index_growth": lambda: restore_points.index_growth(bench),
        "reader_index": lambda: reader.reader_index(bench),
        "index_memory_flat": lambda: memory.index_memory_flat(bench),
        "index_memory_deep": lambda: memory.index_memory_deep(bench),
    }


def _on(store: Callable[[], IndexedStore], benchmark: Callable[..., Result], label: str) -> Result:
    return benchmark(store(), label=label)


def choose(there: Mapping[str, T], only: str | None) -> dict[str, T]:
    """What a list of names with commas between them asks for, in the order of what is there; all where it is empty.

    Raises ValueError for a name that is not there.
    """
    wanted = {name.strip() for name in (only or "").split(",")} - {""} or set(there)
    if unknown := sorted(wanted - there.keys()):
        raise ValueError(f"no benchmark {', '.join(unknown)}; there are {', '.join(there)}")
    return {name: run for name, run in there.items() if name in wanted}


def main() -> None:
    """Run all or some."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--only", help="names of benchmarks, with commas between them")
    only = parser.parse_args().only
    scale = float(os.environ.get("SCALE", "1"))
    installed = psutil.virtual_memory().total / 2**30
    print(
        f"{os.cpu_count()} cores, {installed:.0f} GiB, {machine.system()} {machine.machine()}, SCALE={scale:g}",
        flush=True,
    )
    results = []
    with (
        tempfile.TemporaryDirectory(prefix="cairn-bench-") as directory,
        open_bench(Path(directory) / "bench", scale=scale, restic=find_restic()) as bench,
    ):
        try:
            chosen = choose(benchmarks(bench), only)
        except ValueError as error:
            parser.error(str(error))
        for run in chosen.values():
            results.append(run())
            print(table(results[-1:]).splitlines()[-1], f"\n    {results[-1].detail}", flush=True)
            write(results, OUTPUT)
        print("\nOne hop: " + ", ".join(f"{baseline.name} {baseline.ms:.3g} ms" for baseline in bench.baseline.all()))
    print("\n" + table(results))


if __name__ == "__main__":
    main()
