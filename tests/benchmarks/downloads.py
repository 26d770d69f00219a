"""Taking a large file out of a restore point, beside the restic process that would do the same."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.benchmarks.adopted_tree import NO_HEADERS, AdoptedTree
from tests.benchmarks.bench import Bench, in_turns, timed
from tests.benchmarks.generated_files import MIB, write_random, write_text
from tests.benchmarks.platform import own_processes
from tests.benchmarks.result import Result, median, percentile

WHOLE_RUNS, RANGE_RUNS = 5, 40


class LargeFiles(AdoptedTree):
    """Two files, one that cannot be compressed and one that can."""

    def __init__(self, bench: Bench) -> None:
        self.size = bench.size(1024) * MIB
        super().__init__(bench, "large", write=self._write)
        self._buffer = bytearray(MIB)

    def _write(self, tree: Path) -> None:
        write_random(tree / "random.bin", self.size)
        write_text(tree / "text.log", self.size // 4)

    def fetch(self, name: str, headers: Mapping[str, str] = NO_HEADERS) -> int:
        """Download a file and throw it away; how many bytes it had."""
        return sum(map(len, self._pieces(name, headers)))

    def check(self, name: str) -> None:
        """Raises unless a download is the file, byte for byte."""
        digest = hashlib.sha256()
        for piece in self._pieces(name, NO_HEADERS):
            digest.update(piece)
        with (self.tree / name).open("rb") as file:
            if hashlib.file_digest(file, "sha256").digest() != digest.digest():
                raise AssertionError(f"{name} came out changed")

    def dump_file(self, name: str) -> None:
        """Let restic write a file to nowhere."""
        self.dump("latest", f"/{name}")

    @contextmanager
    def worker_reads(self) -> Iterator[list[int]]:
        """How many bytes the worker reads meanwhile, from the store and everything else; known once it is left."""
        pid, read = own_processes(self.bench.status())["connector"], [0]
        before = _bytes_read(pid)
        yield read
        read[0] = _bytes_read(pid) - before

    def _pieces(self, name: str, headers: Mapping[str, str]) -> Iterator[memoryview]:
        """One buffer, filled again and again."""
        view = memoryview(self._buffer)
        with self.answer(f"/content?path=/{name}", headers=headers) as response:
            while length := response.readinto(self._buffer):
                yield view[:length]


def range_read(files: LargeFiles) -> Result:
    """The last 1 MiB of the file through the gateway; beside `restic dump`, which knows whole files only."""
    last = partial(files.fetch, "random.bin", {"range": f"bytes=-{MIB}"})
    with files.worker_reads() as opening:
        cold = timed(last) * 1000
    with files.worker_reads() as reading:
        ours = [timed(last) * 1000 for _ in range(RANGE_RUNS)]
    peer = min(timed(lambda: files.dump_file("random.bin")) for _ in range(2)) * 1000
    most = max(opening[0], reading[0] // RANGE_RUNS) / MIB
    return Result(
        "range_read", median(ours), "ms", "10 ms, 4 MiB read", peer="restic dump", peer_value=peer, p50=median(ours),
        baseline=files.bench.baseline.get, p99=percentile(ours, 0.99),
        detail=f"last 1 MiB of {files.size // MIB} MiB, {RANGE_RUNS} times; the worker read {most:.1f} MiB at most; "
        f"the first one took {cold:.0f} ms",
    )  # fmt: skip


def download_throughput(files: LargeFiles) -> Result:
    """The whole file through the gateway, store already open; beside `restic dump` of it."""
    files.check("random.bin")
    ours, peer = _rates(files, "random.bin", files.size)
    text = "{:.0f} and {:.0f} MiB/s".format(*_rates(files, "text.log", files.size // 4))
    return Result(
        "download_throughput", ours, "MiB/s", "ratio >= 1.3", peer="restic dump", peer_value=peer,
        larger_is_better=True,
        detail=f"{files.size // MIB} MiB of random bytes, which cannot be compressed, compared byte for byte once; "
        f"median of {WHOLE_RUNS}, in turns; {files.size // 4 // MIB} MiB of text: {text}",
    )  # fmt: skip


def _rates(files: LargeFiles, name: str, size: int) -> tuple[float, float]:
    """Ours and the peer's, in MiB/s."""
    ours, peer = in_turns(partial(files.fetch, name), partial(files.dump_file, name), times=WHOLE_RUNS)
    return size / MIB / ours, size / MIB / peer


def _bytes_read(pid: int) -> int:
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("rchar:"))
