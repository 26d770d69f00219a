"""Where benchmarks run: a platform of their own, data of a size, restic by hand beside it."""

import http.client
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from bson.raw_bson import RawBSONDocument
from cairn_local.api import Api
from pymongo import MongoClient

from tests.benchmarks.bare import BareThings
from tests.benchmarks.result import median
from tests.support.bodies import a_resource_body
from tests.support.environment import platform_environment

PASSWORD = "benchmark-passphrase"
IDLE_LOOK_SECONDS, IDLE_PATIENCE_SECONDS, IDLE_PERCENT = 0.5, 20, 15


def timed(action: Callable[[], Any]) -> float:
    """Seconds an action takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


class Line:
    """A plain connection of `http.client` that is kept, so that the time of a request is the server's."""

    def __init__(self, url: str, badge: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        self._headers = {"Authorization": f"Bearer {badge}"}

    def get(self, path: str) -> bytes:
        """The body of an answer, whole."""
        self._connection.request("GET", f"/api/v1{path}", headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{path} was answered with {answer.status}: {body[:500]!r}")
        return body

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def in_turns(ours: Callable[[], Any], peer: Callable[[], Any], *, times: int) -> tuple[float, float]:
    """The median seconds of two actions, one after the other in each turn."""
    took = [(timed(ours), timed(peer)) for _ in range(times)]
    return median([mine for mine, _ in took]), median([other for _, other in took])


@dataclass
class Ground:
    """A directory to measure in and a platform started for it."""

    root: Path
    scale: float
    restic: Path

    @property
    def home(self) -> Path:
        """State of the platform."""
        return self.root / "state"

    @cached_property
    def bare(self) -> BareThings:
        """What latencies are counted in, measured on this platform's servers."""
        return BareThings(self.status)

    def size(self, full: int) -> int:
        """A size, scaled."""
        return max(1, int(full * self.scale))

    def cairn(self, *arguments: str, home: Path | None = None) -> str:
        """Run the `cairn` command; its standard output."""
        environment = platform_environment(CAIRN_HOME=str(home or self.home))
        command = [sys.executable, "-m", "cairn_local", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"cairn {' '.join(arguments)} failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def status(self, home: Path | None = None) -> dict[str, Any]:
        """What `cairn status --json` tells."""
        return dict(json.loads(self.cairn("status", "--json", home=home)))

    def api(self) -> Api:
        """The owner's client."""
        credentials = json.loads((self.home / "credentials.json").read_text())
        client = Api(self.status()["gateway"], credentials["api_key"], timeout_seconds=600)
        client.login()
        return client

    def badge(self) -> str:
        """A badge of the owner."""
        credentials = json.loads((self.home / "credentials.json").read_text())
        client = Api(self.status()["gateway"], credentials["api_key"])
        return str(client.post("/auth/login/apikey", {"api_key": credentials["api_key"]})["token"])

    @contextmanager
    def line(self) -> Iterator["Line"]:
        """A connection to the gateway that is kept."""
        line = Line(self.status()["gateway"], self.badge())
        try:
            yield line
        finally:
            line.close()

    def by_hand(self, repository: Path, *arguments: str, cwd: Path | None = None) -> None:
        """Run restic as a person would, with a warm cache of its own. What it prints is kept nowhere."""
        environment = {**os.environ, "RESTIC_PASSWORD": PASSWORD, "RESTIC_CACHE_DIR": str(self.root / "restic-cache")}
        command = [str(self.restic), "-r", str(repository), *arguments]
        subprocess.run(command, env=environment, cwd=cwd, check=True, stdout=subprocess.DEVNULL)

    def back_up_by_hand(self, repository: Path, tree: Path) -> str:
        """Back a tree up with restic alone; the id of the new snapshot."""
        environment = {**os.environ, "RESTIC_PASSWORD": PASSWORD, "RESTIC_CACHE_DIR": str(self.root / "restic-cache")}
        command = [str(self.restic), "-r", str(repository), "backup", ".", "--json", "--quiet"]
        done = subprocess.run(command, env=environment, cwd=tree, check=True, capture_output=True)
        return str(json.loads(done.stdout.splitlines()[-1])["snapshot_id"])

    def is_idle_soon(self) -> bool:
        """Wait until the machine does next to nothing; whether it came to that."""
        deadline = time.monotonic() + IDLE_PATIENCE_SECONDS
        while psutil.cpu_percent(IDLE_LOOK_SECONDS) > IDLE_PERCENT:
            if time.monotonic() > deadline:
                return False
        return True

    def index_documents(self, store_id: str) -> tuple[int, int]:
        """How many documents the restore index keeps of a store, and their bytes."""
        count = size = 0
        with MongoClient[RawBSONDocument](self.status()["mongodb_uri"], document_class=RawBSONDocument) as client:
            database = client["cairn_restore_index"]
            for name in database.list_collection_names():
                for document in database[name].find({}):
                    if str(document["_id"]).startswith(store_id):
                        count, size = count + 1, size + len(document.raw)
        return count, size

    def connector(self, api: Api, kind: str, path: Path) -> str:
        """A new directory app."""
        inventory = api.create_inventory(f"bench-{path.name}")
        urn_id = api.create_resource(inventory, a_resource_body(f"urn:bench:{path.name}"))
        fields = {"root": str(path)} | ({"passphrase": PASSWORD} if kind == "store" else {})
        return api.create_connector(kind, name=path.name, integration="fs", urn_id=urn_id, fields=fields)


@contextmanager
def open_ground(root: Path, *, scale: float, restic: Path) -> Iterator[Ground]:
    """An empty directory and a running platform; both are gone afterwards."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    ground = Ground(root, scale, restic)
    try:
        ground.cairn("up")
        yield ground
    finally:
        ground.cairn("down")
        shutil.rmtree(root, ignore_errors=True)


def make_many_files(root: Path, *, entries: int, per_directory: int = 99) -> list[str]:
    """A tree of about so many entries, one file in fifty with 1 KiB in it; returns its directories' paths."""
    chance = random.Random(7)
    directories = []
    for n in range(max(1, entries // (per_directory + 1))):
        directory = root / f"area-{n // 100:03}" / f"folder-{n:05}"
        directory.mkdir(parents=True)
        directories.append("/" + str(directory.relative_to(root)))
        for m in range(per_directory):
            with (directory / f"file-{n:05}-{m:03}.dat").open("wb") as file:
                if m % 50 == 0:
                    file.write(chance.randbytes(1024))
    return directories


def change_files(root: Path, *, share: float, seed: int) -> int:
    """Rewrite a share of the files that `make_many_files` made, chosen anew by each seed; how many."""
    files = sorted(root.rglob("*.dat"))
    chosen = random.Random(seed).sample(files, max(1, round(len(files) * share)))
    for file in chosen:
        file.write_bytes(f"changed in round {seed}: {file.name}".encode())
    return len(chosen)


def make_random_files(root: Path, *, files: int, total_bytes: int) -> None:
    """Files of equal size with random content, 200 in a directory."""
    size = max(1, total_bytes // files)
    for n in range(files):
        directory = root / f"{n // 200:04}"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"{n:06}.bin").write_bytes(os.urandom(size))
