"""One running platform for all journeys, and an S3 server beside it. Journeys speak to the gateway only."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cairn_local.api_client import Api
from cairn_local.paths import StateDir
from cairn_local.status import Status, read_status

from tests.support.bodies import a_resource_body
from tests.support.environment import platform_environment
from tests.support.otlp import OtlpReceiver
from tests.support.s3 import S3Server, rclone_s3
from tests.support.waiting import eventually

CANARY = "canary-7b1f"
SERVICES = ("gateway", "catalog", "assignment", "connector", "scheduler", "restore-index")
LEASE_SECONDS = 4


@dataclass
class Platform:
    """A platform started by `cairn up` in a directory of its own."""

    home: Path
    environment: dict[str, str]

    def cairn(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the `cairn` command."""
        command = [sys.executable, "-m", "cairn_local", *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=300, check=False)
        assert not check or done.returncode == 0, f"cairn {arguments}: {done.stdout[-3000:]} {done.stderr[-3000:]}"
        return done

    @property
    def state(self) -> StateDir:
        """Its folder."""
        return StateDir(self.home)

    def status(self) -> Status:
        """What `cairn status` tells."""
        return read_status(self.state)

    def pid(self, service: str) -> int:
        """Process id of a service; 0 while it does not run."""
        return next(p.pid or 0 for p in self.status().processes if p.name == service)

    def kill(self, *services: str) -> None:
        """SIGKILL services; returns when others have taken their place and everything is healthy."""
        killed = {service: self.pid(service) for service in services}
        for pid in killed.values():
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: self._replaced(killed) and self.status().healthy, deadline_seconds=60)

    def _replaced(self, killed: dict[str, int]) -> bool:
        return all(self.pid(service) not in (0, pid) for service, pid in killed.items())

    @property
    def credentials(self) -> dict[str, str]:
        """What the first start wrote."""
        return dict(json.loads((self.home / "credentials.json").read_text()))

    def api(self) -> Api:
        """A client logged in as the owner."""
        client = Api(self.status().gateway, self.credentials["api_key"])
        client.login()
        return client


@pytest.fixture(scope="session")
def otlp() -> Iterator[OtlpReceiver]:
    """Receives the traces of the whole platform."""
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory, otlp: OtlpReceiver) -> Iterator[Platform]:
    """The platform, up and healthy."""
    home = tmp_path_factory.mktemp("platform") / "state"
    environment = platform_environment(
        CAIRN_HOME=str(home), CAIRN_LEASE_SECONDS=str(LEASE_SECONDS), OTEL_EXPORTER_OTLP_ENDPOINT=otlp.url
    )
    running = Platform(home, environment)
    try:
        running.cairn("up")
        yield running
    finally:
        running.cairn("down", check=False)


@pytest.fixture
def api(platform: Platform) -> Iterator[Api]:
    """The owner's client."""
    with platform.api() as client:
        yield client


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory, rclone: Path) -> Iterator[S3Server]:
    """A real S3 server with the buckets `documents` and `backups`."""
    directory = tmp_path_factory.mktemp("s3")
    for bucket in ("documents", "backups"):
        (directory / bucket).mkdir()
    with rclone_s3(rclone, directory) as server:
        yield server


@pytest.fixture
def inventory(api: Api) -> str:
    """A fresh inventory."""
    return api.create_inventory("e2e")


Directory = Callable[..., tuple[str, str]]


@pytest.fixture
def directory(api: Api, inventory: str, tmp_path: Path) -> Directory:
    """Makes a resource for a directory and an app of it: `directory("source", path)` -> (urn_id, connector id)."""

    def make(kind: str, path: Path, *, passphrase: str = f"{CANARY}-passphrase") -> tuple[str, str]:
        urn_id = api.create_resource(inventory, a_resource_body(f"urn:e2e:{path.name}:{kind}", name=path.name))
        fields = {"root": str(path)} | ({"passphrase": passphrase} if kind == "store" and passphrase else {})
        return urn_id, api.create_connector(
            kind, name=f"{path.name}-{kind}", integration="fs", urn_id=urn_id, fields=fields
        )

    return make


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory with ordinary and odd names."""
    root = tmp_path / "source"
    (root / "documents" / "empty").mkdir(parents=True)
    (root / "documents" / "letter.txt").write_bytes(b"Dear reader,\n" * 1000)
    (root / "documents" / "random.bin").write_bytes(os.urandom(3_000_000))
    (root / "documents" / "nothing").touch()
    (root / "..hidden").write_text("two dots begin this name")
    (root / "line\nbreak").write_text("a newline is in this name")
    (root / ("n" * 255)).write_text("255 bytes of name")
    (root / "link").symlink_to("/etc/hostname")
    Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9.txt")).write_text("this name is not UTF-8")
    return root
