"""Who can reach Kafka and the database: the owner of the state folder, and nobody else of the machine."""

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from cairn_local import infrastructure
from cairn_local.health import is_healthy, parse_address
from cairn_local.infrastructure.socket_folders import LONGEST_SOCKET_PATH
from cairn_local.paths import StateDir
from cairn_local.ports import load_ports
from cairn_local.process_plan import Check, ProcessSpec, load_plan
from cairn_local.supervisor.process_record import find_process, load_record
from pymongo import MongoClient

from tests.support.unprivileged import as_another_user, is_closed_to_others

pytestmark = pytest.mark.integration

DESCRIBE_CLUSTER = struct.pack(">hhih", 60, 1, 7, -1) + b"\0" + b"\0\2\0"


@dataclass(frozen=True)
class Running:
    state: StateDir
    addresses: infrastructure.Addresses

    def processes(self) -> list[psutil.Process]:
        found = (find_process(running) for running in load_record(self.state.processes).processes.values())
        return [process for process in found if process]

    def spec(self, name: str) -> ProcessSpec:
        return next(spec for spec in load_plan(self.state.plan) if spec.name == name)


@pytest.fixture(scope="module", params=["short", "too long for a socket"])
def servers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("servers")
    if request.param != "short":
        folder /= "x" * LONGEST_SOCKET_PATH
    with infrastructure.start(folder) as addresses:
        yield Running(StateDir(folder), addresses)


def connect(path: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        return "connected"


def ask_without_credentials(port: int) -> bytes:
    """The answer to a question about the cluster; nothing when the server hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(struct.pack(">i", len(DESCRIBE_CLUSTER)) + DESCRIBE_CLUSTER)
        try:
            return connection.recv(1024)
        except ConnectionResetError:
            return b""


@pytest.mark.parametrize("name", ["mongodb", "postgres"])
def test_another_user_reaches_no_database(servers: Running, name: str) -> None:
    path = servers.spec(name).check.address
    assert connect(path) == "connected"
    assert is_closed_to_others(Path(path), lambda: connect(path))


def test_documents_are_kept_through_the_socket(servers: Running) -> None:
    with MongoClient[dict[str, object]](servers.addresses.mongodb_uri) as client:
        client.test.things.replace_one({"_id": 1}, {"_id": 1}, upsert=True)
        assert client.test.things.count_documents({}) == 1


def test_kafka_answers_who_knows_the_password(servers: Running, tmp_path: Path) -> None:
    check = servers.spec("kafka").check
    assert is_healthy(check)
    assert not is_healthy(Check("kafka", check.address))
    wrong = tmp_path / "wrong"
    wrong.write_text("guessed")
    assert not is_healthy(Check("kafka", check.address, check.username, str(wrong)))


@pytest.mark.parametrize("listener", ["kafka", "kafka-controller"])
def test_no_listener_of_kafka_answers_without_a_password(servers: Running, listener: str) -> None:
    port = load_ports(servers.state.ports)[listener]
    assert ask_without_credentials(port) == b""


def test_another_user_does_not_get_the_password(servers: Running) -> None:
    path = Path(servers.addresses.kafka_access["password_file"])
    assert len(path.read_text().strip()) > 40
    assert is_closed_to_others(path, path.read_text)


def test_nothing_listens_but_kafka(servers: Running) -> None:
    connections = [c for process in servers.processes() for c in process.net_connections("inet")]
    listening = {c.laddr.port for c in connections if c.status == psutil.CONN_LISTEN}
    ports = load_ports(servers.state.ports)
    assert listening == {parse_address(servers.addresses.kafka)[1], ports["kafka-controller"]}


def test_password_is_on_no_command_line_and_in_no_log(servers: Running) -> None:
    password = Path(servers.addresses.kafka_access["password_file"]).read_text().strip()
    assert not [process for process in servers.processes() if any(password in part for part in process.cmdline())]
    assert not [log.name for log in servers.state.logs.iterdir() if password in log.read_text()]


def test_another_user_is_one_who_may_use_what_is_open(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The tests above would pass too if such a process could do nothing at all."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def use() -> str:
            with socket.create_connection(("127.0.0.1", port)):
                return "connected"

        assert (as_another_user(use) if os.geteuid() == 0 else use()) == "connected"
