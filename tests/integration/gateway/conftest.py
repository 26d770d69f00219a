"""The gateway in front of the real services, each a process of its own."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.integration.gateway.client import Client, log_in
from tests.integration.gateway.reference_client import Caller
from tests.support.environment import Corner, write_key_file
from tests.support.infra import Infra
from tests.support.processes import Running, running_module
from tests.support.waiting import eventually_async

SERVICES = {
    "catalog": "catalog",
    "assignment": "assignment",
    "scheduler": "scheduler",
    "restore-index": "restore_index",
    "connector": "connector",
}


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Platform:
    """Six processes in a corner of the shared servers."""

    corner: Corner
    folder: Path
    stack: ExitStack
    restic: Path
    rclone: Path
    ports: dict[str, int] = field(default_factory=dict)
    running: dict[str, Running] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Choose ports, make keys and folders."""
        self.ports = {name: free_port() for name in ("gateway", *SERVICES)}
        for key in ("master", "badge"):
            write_key_file(self.folder / f"{key}.key")
        for name in ("files", "work", "hooks"):
            (self.folder / name).mkdir()

    @property
    def url(self) -> str:
        """Where the gateway answers."""
        return f"http://127.0.0.1:{self.ports['gateway']}"

    @property
    def files(self) -> Path:
        """The only directory that workers may touch."""
        return self.folder / "files"

    @property
    def hooks(self) -> Path:
        """Programs that the worker runs before and after jobs."""
        return self.folder / "hooks"

    @property
    def credentials(self) -> Path:
        """What the first start writes."""
        return self.folder / "credentials.json"

    def variables(self, name: str, **overrides: object) -> dict[str, str]:
        """The environment of a process."""
        urls = {f"url_{n.replace('-', '_')}": f"http://127.0.0.1:{port}" for n, port in self.ports.items()}
        return self.corner.variables(
            **{
                **urls,
                "http_port": self.ports[name],
                "master_key_file": self.folder / "master.key",
                "badge_key_file": self.folder / "badge.key",
                "credentials_file": self.credentials,
                "allowed_roots": self.files,
                "work_dir": self.folder / "work",
                "hooks_dir": self.hooks,
                "restic": self.restic,
                "rclone": self.rclone,
                "session_timeout_seconds": 6,
                "outcome_timeout_seconds": 5,
                **overrides,
            }
        )

    def start(self, name: str, **overrides: object) -> Running:
        """Start a process, or start it again."""
        environment = self.variables(name, **overrides)
        log = self.folder / f"{name}.log"
        made = running_module(SERVICES.get(name, name), "serve", environment=environment, log=log)
        self.running[name] = self.stack.enter_context(made)
        return self.running[name]

    async def ready(self) -> None:
        """Wait until the gateway and everything behind it can take requests."""

        async def answers() -> bool:
            dead = {n: r.output()[-3000:] for n, r in self.running.items() if r.process.poll() is not None}
            if dead:
                pytest.fail(f"ended: {dead}")
            async with httpx.AsyncClient(trust_env=False) as http:
                try:
                    answer = await http.get(f"{self.url}/health/ready")
                except httpx.TransportError:
                    return False
            assert answer.status_code == 200, answer.text
            return True

        await eventually_async(answers, 60)


@pytest.fixture(scope="session")
def gateway_corner(infra: Infra, key_file: Path) -> Iterator[Corner]:
    """Databases and topics of these tests."""
    made = Corner(infra, key_file)
    yield made
    made.drop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def platform(
    gateway_corner: Corner, tmp_path_factory: pytest.TempPathFactory, restic: Path, rclone: Path
) -> AsyncIterator[Platform]:
    """All six, up and ready."""
    with ExitStack() as stack:
        started = Platform(gateway_corner, tmp_path_factory.mktemp("gateway"), stack, restic, rclone)
        for name in (*SERVICES, "gateway"):
            started.start(name)
        await started.ready()
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def api(platform: Platform) -> AsyncIterator[Client]:
    """A client of the owner."""
    async with log_in(platform.url, platform.credentials) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session")
async def caller(platform: Platform, api: Client) -> AsyncIterator[Caller]:
    """A client with the owner's badge, and the content type in all of its requests."""
    headers = {"Content-Type": "application/json", "Authorization": api.http.headers["authorization"]}
    async with httpx.AsyncClient(base_url=platform.url, headers=headers, timeout=30, trust_env=False) as http:
        yield Caller(http, api.organization_id)
