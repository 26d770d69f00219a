"""A tree in a repository that restic made and Cairn adopted; its bytes by the gateway, or by restic."""

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.benchmarks.bench import Bench
from tests.benchmarks.restore_points import wait_until_browsable

NO_HEADERS: Mapping[str, str] = {}


class AdoptedTree:
    """Backed up by restic alone, so that both sides read the same packs."""

    def __init__(self, bench: Bench, name: str, *, write: Callable[[Path], object]) -> None:
        self.bench = bench
        self.tree, self.repository = bench.root / name, bench.root / f"{name}-store"
        write(self.tree)
        bench.by_hand(self.repository, "init")
        self.snapshot = bench.back_up_by_hand(self.repository, self.tree)
        api = bench.api()
        store = bench.connector(api, "store", self.repository)
        api.post(f"/connectors/{store}/stores/create")
        wait_until_browsable(api, self.snapshot)
        self._gateway = urlsplit(bench.status()["gateway"])
        self._token = bench.bearer_token()

    def dump(self, *arguments: str) -> None:
        """Let `restic dump` write to nowhere."""
        self.bench.by_hand(self.repository, "dump", *arguments)

    @contextmanager
    def answer(
        self, path: str, *, body: object = None, headers: Mapping[str, str] = NO_HEADERS
    ) -> Iterator[http.client.HTTPResponse]:
        """The gateway's answer about the restore point, on a new connection; POST where there is a body.

        No client library: it would be slower than what it measures. Raises unless the status is 200 or 206.
        """
        connection = http.client.HTTPConnection(self._gateway.hostname or "", self._gateway.port, timeout=600)
        content = None if body is None else json.dumps(body)
        kind = {} if content is None else {"content-type": "application/json"}
        sent = {"authorization": f"Bearer {self._token}", **kind, **headers}
        method = "GET" if content is None else "POST"
        connection.request(method, f"/api/v1/snapshots/{self.snapshot}{path}", content, sent)
        response = connection.getresponse()
        if response.status not in (200, 206):
            raise AssertionError(f"{response.status}: {response.read()!r}")
        yield response
        connection.close()
