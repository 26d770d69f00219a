"""Taking a whole folder out of a restore point, beside the restic process that would do the same."""

import http.client
import io
import json
import os
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from tests.benchmarks.ground import Ground, in_turns
from tests.benchmarks.restore_points import wait_until_browsable
from tests.benchmarks.result import Result

RUNS = 3
MIB = 1 << 20


class Folder:
    """A folder of 20,000 small files and 256 MiB, backed up by restic alone and adopted by Cairn."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.tree, self.repository = ground.root / "folder", ground.root / "folder-store"
        self.count, self.size = ground.size(20_000), ground.size(256) * MIB
        make_mixed_files(self.tree / "all", files=self.count, total_bytes=self.size)
        ground.by_hand(self.repository, "init")
        self.snapshot = ground.back_up_by_hand(self.repository, self.tree)
        api = ground.api()
        store = ground.connector(api, "store", self.repository)
        api.post(f"/connectors/{store}/stores/create")
        wait_until_browsable(api, self.snapshot)
        self._gateway = urlsplit(ground.status()["gateway"])
        credentials = json.loads((ground.home / "credentials.json").read_text())
        self._badge = api.post("/auth/login/apikey", {"api_key": credentials["api_key"]})["token"]

    def fetch(self, form: str) -> int:
        """Download it and throw it away; how many bytes the archive had."""
        return sum(map(len, self._pieces(form)))

    def check(self) -> None:
        """Raises unless a zip holds every file."""
        with zipfile.ZipFile(io.BytesIO(b"".join(self._pieces("zip")))) as zipped:
            if zipped.testzip() or sum(not i.is_dir() for i in zipped.infolist()) != self.count:
                raise AssertionError("the zip does not hold what it should")

    def dump(self, form: str) -> None:
        """Let restic write an archive to nowhere."""
        self.ground.by_hand(self.repository, "dump", "--archive", form, "latest", "/all")

    def _pieces(self, form: str) -> Iterator[bytes]:
        connection = http.client.HTTPConnection(self._gateway.hostname or "", self._gateway.port, timeout=600)
        body = json.dumps({"paths": ["/all"], "format": form})
        headers = {"authorization": f"Bearer {self._badge}", "content-type": "application/json"}
        connection.request("POST", f"/api/v1/snapshots/{self.snapshot}/archive", body, headers)
        response = connection.getresponse()
        if response.status != 200:
            raise AssertionError(f"{response.status}: {response.read()!r}")
        while piece := response.read1(MIB):
            yield piece
        connection.close()


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
    ours, peer = in_turns(partial(folder.fetch, form), partial(folder.dump, peer_form), times=RUNS)
    return folder.size / MIB / ours, folder.size / MIB / peer


def make_mixed_files(root: Path, *, files: int, total_bytes: int) -> None:
    """Files of equal size, 200 in a directory; every other one cannot be compressed."""
    size = max(1, total_bytes // files)
    for n in range(files):
        directory = root / f"{n // 200:04}"
        directory.mkdir(parents=True, exist_ok=True)
        content = os.urandom(size) if n % 2 else os.urandom(size // 8 + 1).hex().encode() * 4
        (directory / f"{n:06}.bin").write_bytes(content[:size])
