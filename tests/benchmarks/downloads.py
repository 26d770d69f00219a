"""Taking a large file out of a restore point, beside the restic process that would do the same."""

import hashlib
import http.client
import json
import os
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from tests.benchmarks.ground import Ground, in_turns, timed
from tests.benchmarks.platform import own_processes
from tests.benchmarks.restore_points import wait_until_browsable
from tests.benchmarks.result import Result, median, percentile

WHOLE_RUNS, RANGE_RUNS = 5, 40
MIB = 1 << 20
NO_HEADERS: Mapping[str, str] = {}


class LargeFiles:
    """Two files, one that cannot be compressed and one that can, backed up by restic alone and adopted by Cairn."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.tree, self.repository = ground.root / "large", ground.root / "large-store"
        self.size = ground.size(1024) * MIB
        write_random(self.tree / "random.bin", self.size)
        write_text(self.tree / "text.log", self.size // 4)
        ground.by_hand(self.repository, "init")
        self.snapshot = ground.back_up_by_hand(self.repository, self.tree)
        api = ground.api()
        store = ground.connector(api, "store", self.repository)
        api.post(f"/connectors/{store}/stores/create")
        wait_until_browsable(api, self.snapshot)
        self._gateway = urlsplit(ground.status()["gateway"])
        credentials = json.loads((ground.home / "credentials.json").read_text())
        self._badge = api.post("/auth/login/apikey", {"api_key": credentials["api_key"]})["token"]
        self._buffer = bytearray(MIB)

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

    def dump(self, name: str) -> None:
        """Let restic write a file to nowhere."""
        self.ground.by_hand(self.repository, "dump", "latest", f"/{name}")

    @contextmanager
    def worker_reads(self) -> Iterator[list[int]]:
        """How many bytes the worker reads meanwhile, from the store and everything else; told once it is left."""
        pid, told = own_processes(self.ground.status())["connector"], [0]
        before = _bytes_read(pid)
        yield told
        told[0] = _bytes_read(pid) - before

    def _pieces(self, name: str, headers: Mapping[str, str]) -> Iterator[memoryview]:
        """No client library that is slower than what it measures: one buffer, filled again and again."""
        connection = http.client.HTTPConnection(self._gateway.hostname or "", self._gateway.port, timeout=600)
        path = f"/api/v1/snapshots/{self.snapshot}/content?path=/{name}"
        connection.request("GET", path, headers={"authorization": f"Bearer {self._badge}", **headers})
        response = connection.getresponse()
        if response.status not in (200, 206):
            raise AssertionError(f"{response.status}: {response.read()!r}")
        view = memoryview(self._buffer)
        while length := response.readinto(self._buffer):
            yield view[:length]
        connection.close()


def range_read(files: LargeFiles) -> Result:
    """The last 1 MiB of the file through the gateway; beside `restic dump`, which knows whole files only."""
    last = partial(files.fetch, "random.bin", {"range": f"bytes=-{MIB}"})
    with files.worker_reads() as opening:
        cold = timed(last) * 1000
    with files.worker_reads() as reading:
        ours = [timed(last) * 1000 for _ in range(RANGE_RUNS)]
    peer = min(timed(lambda: files.dump("random.bin")) for _ in range(2)) * 1000
    most = max(opening[0], reading[0] // RANGE_RUNS) / MIB
    return Result(
        "range_read", median(ours), "ms", "10 ms, 4 MiB read", peer="restic dump", peer_value=peer, p50=median(ours),
        bare=files.ground.bare.get, p99=percentile(ours, 0.99),
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
    ours, peer = in_turns(partial(files.fetch, name), partial(files.dump, name), times=WHOLE_RUNS)
    return size / MIB / ours, size / MIB / peer


def _bytes_read(pid: int) -> int:
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("rchar:"))


def write_random(path: Path, size: int) -> None:
    """A file that cannot be compressed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for _ in range(size // MIB):
            file.write(os.urandom(MIB))


def write_text(path: Path, size: int) -> None:
    """A file of words, to a quarter of its size when compressed."""
    chance = random.Random(17)
    words = [bytes(chance.choices(b"abcdefghijklmnopqrstuvwxyz", k=chance.randint(3, 9))) for _ in range(5000)]
    with path.open("wb") as file:
        while file.tell() < size:
            file.write(b" ".join(chance.choices(words, k=100_000)))
        file.truncate(size)
