"""Taking a whole folder out of a restore point, beside the restic process that would do the same."""

import io
import zipfile
from collections.abc import Iterator
from functools import partial

from tests.benchmarks.adopted_tree import AdoptedTree
from tests.benchmarks.bench import Bench, in_turns
from tests.benchmarks.generated_files import MIB, make_mixed_files
from tests.benchmarks.result import Result

RUNS = 3


class Folder(AdoptedTree):
    """A folder of 20,000 small files and 256 MiB."""

    def __init__(self, bench: Bench) -> None:
        self.count, self.size = bench.size(20_000), bench.size(256) * MIB
        super().__init__(
            bench,
            "folder",
            write=lambda tree: make_mixed_files(tree / "all", files=self.count, total_bytes=self.size),
        )

    def fetch(self, form: str) -> int:
        """Download it and throw it away; how many bytes the archive had."""
        return sum(map(len, self._pieces(form)))

    def check(self) -> None:
        """Raises unless a zip holds every file."""
        with zipfile.ZipFile(io.BytesIO(b"".join(self._pieces("zip")))) as zipped:
            if zipped.testzip() or sum(not i.is_dir() for i in zipped.infolist()) != self.count:
                raise AssertionError("the zip does not hold what it should")

    def dump_archive(self, form: str) -> None:
        """Let restic write an archive to nowhere."""
        self.dump("--archive", form, "latest", "/all")

    def _pieces(self, form: str) -> Iterator[bytes]:
        with self.answer("/archive", body={"paths": ["/all"], "format": form}) as response:
            while piece := response.read1(MIB):
                yield piece


def archive_throughput(folder: Folder) -> Result:
    """The folder as zip through the gateway, store already open; beside `restic dump --archive zip`. As tar too."""
    folder.check()
    zipped, zip_peer = _rates(folder, "zip", "zip")
    tarred, tar_peer = _rates(folder, "tar.zst", "tar")
    return Result(
        "archive_throughput", zipped, "MiB/s", "ratio >= 2.5", peer="restic dump --archive zip", peer_value=zip_peer,
        larger_is_better=True,
        detail=f"{folder.count} files of {folder.size // MIB} MiB in all, half of it random; median of {RUNS}; "
        f"as tar.zst {tarred:.0f} MiB/s, restic's tar, which is not compressed, {tar_peer:.0f} MiB/s",
    )  # fmt: skip


def _rates(folder: Folder, form: str, peer_form: str) -> tuple[float, float]:
    """Ours and the peer's, in MiB of content a second."""
    ours, peer = in_turns(partial(folder.fetch, form), partial(folder.dump_archive, peer_form), times=RUNS)
    return folder.size / MIB / ours, folder.size / MIB / peer
