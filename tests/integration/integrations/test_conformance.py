"""Our integrations keep the promises of the kit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from contracts.messages.assignment import AppKind
from integrations.fs.integration import FsIntegration
from integrations.s3.integration import S3Integration
from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.conformance import IntegrationSuite, Place
from integrations.sdk.environment import WorkerEnvironment
from integrations.sdk.ports import ConnectionTest
from integrations.sdk.registry import Integrations

from tests.integration.integrations.conftest import Configure
from tests.support.installed_package import SHELF, install
from tests.support.s3 import BUCKET, S3Server, moto_s3


@dataclass
class Folder:
    root: Path
    configure: Configure

    def fill(self, files: Mapping[str, bytes]) -> None:
        for path, data in files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_bytes(data)

    def configuration(self, kind: AppKind) -> AppConfiguration:
        self.root.mkdir(exist_ok=True)
        return self.configure(kind, "fs", root=str(self.root), passphrase="word")


class TestFs(IntegrationSuite):
    @pytest.fixture
    def integration(self, environment: WorkerEnvironment) -> FsIntegration:
        return FsIntegration(environment)

    @pytest.fixture
    def place(self, tmp_path: Path, configure: Configure) -> Place:
        return Folder(tmp_path / "place", configure)

    @pytest.fixture
    def other_place(self, tmp_path: Path, configure: Configure) -> Place:
        return Folder(tmp_path / "other", configure)

    @pytest.fixture
    def unreachable(self, tmp_path: Path, configure: Configure) -> AppConfiguration:
        return configure("source", "fs", root=str(tmp_path / "missing"))


@dataclass
class Prefix:
    server: S3Server
    name: str
    configure: Configure

    def fill(self, files: Mapping[str, bytes]) -> None:
        self.server.fill({f"{self.name}/{path}": data for path, data in files.items()})

    def configuration(self, kind: AppKind) -> AppConfiguration:
        fields = self.server.fields(f"{BUCKET}/{self.name}", passphrase="word")
        return self.configure(kind, "s3", endpoint=self.server.endpoint, **fields)


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with moto_s3() as running:
        yield running


class TestS3(IntegrationSuite):
    @pytest.fixture
    def integration(self, environment: WorkerEnvironment) -> S3Integration:
        return S3Integration(environment)

    @pytest.fixture
    def place(self, server: S3Server, configure: Configure, tmp_path: Path) -> Place:
        return Prefix(server, f"{tmp_path.name}/one", configure)

    @pytest.fixture
    def other_place(self, server: S3Server, configure: Configure, tmp_path: Path) -> Place:
        return Prefix(server, f"{tmp_path.name}/two", configure)

    @pytest.fixture
    def unreachable(self, configure: Configure) -> AppConfiguration:
        fields = {"root": BUCKET, "access_key": "key", "secret_access_key": "word", "use_tls": "false"}
        return configure("source", "s3", endpoint="127.0.0.1:1", **fields)


@dataclass
class Board(Folder):
    """The directory of a board: its shelf is the one above."""

    def configuration(self, kind: AppKind) -> AppConfiguration:
        self.root.mkdir(parents=True, exist_ok=True)
        if kind == "store":
            return self.configure(kind, "shelf+folder", root=str(self.root), passphrase="word")
        fields = {"base": str(self.root.parent), "layout": "numbered", "number": self.root.name}
        return self.configure(kind, "shelf+board", **fields)


class TestInstalledPackage(IntegrationSuite):
    """A package that nothing of ours names, found by its entry point."""

    @pytest.fixture
    def integration(
        self, environment: WorkerEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> ConnectionTest:
        monkeypatch.syspath_prepend(str(install(SHELF, tmp_path / "site")))
        return Integrations(environment).connection_test("shelf+board")

    @pytest.fixture
    def place(self, tmp_path: Path, configure: Configure) -> Place:
        return Board(tmp_path / "shelf" / "1", configure)

    @pytest.fixture
    def other_place(self, tmp_path: Path, configure: Configure) -> Place:
        return Board(tmp_path / "shelf" / "2", configure)

    @pytest.fixture
    def unreachable(self, tmp_path: Path, configure: Configure) -> AppConfiguration:
        return configure("source", "shelf+board", base=str(tmp_path / "missing"))
