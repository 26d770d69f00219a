"""Where benchmarks run: a platform of their own, and restic by hand beside it."""

import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from bson.raw_bson import RawBSONDocument
from cairn_local.api_client import Api
from pymongo import MongoClient

from tests.benchmarks.baselines import Baselines
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


class KeptConnection:
    """A plain connection of `http.client` that is kept, so that the time of a request is the server's."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}"}

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
class Bench:
    """A directory to measure in and a platform started for it."""

    root: Path
    scale: float
    restic: Path

    @property
    def home(self) -> Path:
        """State of the platform."""
        return self.root / "state"

    @cached_property
    def baseline(self) -> Baselines:
        """What hops are multiples of, measured on this platform's servers."""
        return Baselines(self.status)

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

    def bearer_token(self) -> str:
        """A bearer token of the owner."""
        credentials = json.loads((self.home / "credentials.json").read_text())
        client = Api(self.status()["gateway"], credentials["api_key"])
        return str(client.post("/auth/login/apikey", {"api_key": credentials["api_key"]})["token"])

    @contextmanager
    def connection(self) -> Iterator[KeptConnection]:
        """A connection to the gateway that is kept."""
        connection = KeptConnection(self.status()["gateway"], self.bearer_token())
        try:
            yield connection
        finally:
            connection.close()

    def by_hand(
        self, repository: Path, *arguments: str, cwd: Path | None = None, variables: Mapping[str, str] | None = None
    ) -> None:
        """Run restic as a person would, with a warm cache of its own. What it prints is kept nowhere."""
        environment = {**os.environ, "RESTIC_PASSWORD": PASSWORD, "RESTIC_CACHE_DIR": str(self.root / "restic-cache")}
        environment |= variables or {}
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
        """A new source or store in a directory."""
        inventory = api.create_inventory(f"bench-{path.name}")
        urn_id = api.create_resource(inventory, a_resource_body(f"urn:bench:{path.name}"))
        fields = {"root": str(path)} | ({"passphrase": PASSWORD} if kind == "store" else {})
        return api.create_connector(kind, name=path.name, integration="fs", urn_id=urn_id, fields=fields)


@contextmanager
def open_bench(root: Path, *, scale: float, restic: Path) -> Iterator[Bench]:
    """An empty directory and a running platform; both are gone afterwards."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    bench = Bench(root, scale, restic)
    try:
        bench.cairn("up")
        yield bench
    finally:
        bench.cairn("down")
        shutil.rmtree(root, ignore_errors=True)
