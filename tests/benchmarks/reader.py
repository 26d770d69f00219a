"""The reader of repositories by itself, on a repository with a very large index."""

import json
import os
import subprocess
import sys
import time

from tests.benchmarks.bench import Bench
from tests.benchmarks.result import Result
from tests.support.many_blobs import ManyBlobs, write_many_blobs
from tests.unit.restic_reader.builder import PASSWORD

BLOBS = 10_000_000
_MIB = 1 << 20

_READ_ONE = """
import json, re, sys, time
from pathlib import Path
from restic_reader import LocalFiles, Repository

began = time.perf_counter()
with Repository.open(LocalFiles(Path(sys.argv[1])), sys.argv[2], cache_dir=Path(sys.argv[3])) as repository:
    repository.load_blob(sys.argv[4])
    seconds = time.perf_counter() - began
    others = sys.stdin.read().split()
    began = time.process_time()
    for blob in others:
        repository.locate(blob)
    lookup = (time.process_time() - began) / len(others)
peak = int(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
print(json.dumps([seconds, peak, lookup]))
"""


def reader_index(bench: Bench) -> Result:
    """Open a repository of 10,000,000 blobs and read one of them, nothing kept before; beside `restic cat blob`."""
    many = write_many_blobs(bench.root / "many-blobs", bench.size(BLOBS))
    cold, cold_peak, _ = _read_one(many)
    warm, warm_peak, lookup = _read_one(many)
    table = sum(path.stat().st_size for path in (many.root / "tables").iterdir())
    peer, peer_peak = min(_cat_blob(bench, many) for _ in range(2))
    return Result(
        "reader_index", cold, "s", "ratio >= 1, 150 MiB of memory", peer="restic cat blob", peer_value=peer,
        detail=f"{bench.size(BLOBS)} blobs; peak {cold_peak / _MIB:.0f} MiB, restic {peer_peak / _MIB:.0f} MiB; "
        f"opened again {warm * 1000:.0f} ms with {warm_peak / _MIB:.0f} MiB; a look-up {lookup * 1e6:.1f} us of CPU; "
        f"table of {table / _MIB:.0f} MiB on disk; the peer's better of two, its cache filled by the first",
    )  # fmt: skip


def _read_one(many: ManyBlobs) -> tuple[float, int, float]:
    """Seconds, peak memory in bytes, seconds of CPU for a look-up."""
    command = [sys.executable, "-c", _READ_ONE, str(many.root), PASSWORD, str(many.root / "tables"), many.real]
    done = subprocess.run(command, input="\n".join(many.some[:5000]), check=True, stdout=subprocess.PIPE, text=True)
    seconds, peak, lookup = json.loads(done.stdout)
    return seconds, peak, lookup


def _cat_blob(bench: Bench, many: ManyBlobs) -> tuple[float, int]:
    """Seconds and peak memory in bytes of restic."""
    own = {"RESTIC_PASSWORD": PASSWORD, "RESTIC_CACHE_DIR": str(bench.root / "many-cache")}
    command = [str(bench.restic), "-r", str(many.root), "cat", "blob", many.real]
    began = time.perf_counter()
    with subprocess.Popen(command, env={**os.environ, **own}, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError("restic cat blob failed")
    return time.perf_counter() - began, usage.ru_maxrss * 1024
