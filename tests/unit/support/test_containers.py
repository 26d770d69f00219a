"""What Docker would be asked for, tried without a Docker engine."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.utils import convert_port_bindings
from testcontainers.core import container as core

from tests.support import containers, infra
from tests.support.infra import Infra, docker_answers, open_infra


class Engine:
    """In place of a Docker engine: keeps what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.removed = 0
        self.client = SimpleNamespace(close=lambda: None)

    def create(self, image: str, **facts: Any) -> Any:
        self.asked.append({"image": image, **facts})
        return SimpleNamespace(short_id="x", remove=self.remove, logs=lambda **_: b"out of luck")

    def start(self, container: Any) -> None:
        pass

    def remove(self, **_: object) -> None:
        self.removed += 1


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine()
    monkeypatch.setattr(core, "DockerClient", lambda: made)
    monkeypatch.setattr(core.Reaper, "get_instance", lambda: None)
    monkeypatch.setattr(containers, "is_healthy", lambda check: True)
    return made


def published(asked: dict[str, Any]) -> list[dict[str, str]]:
    """What the engine's own client makes of the ports."""
    [bindings] = convert_port_bindings(asked["ports"]).values()
    return list(bindings)


def test_kafka_advertises_the_address_it_is_published_at(engine: Engine) -> None:
    with containers.running_kafka() as address:
        [asked] = engine.asked

    port = address.removeprefix("127.0.0.1:")
    assert asked["image"] == "apache/kafka:4.3.0"
    assert list(asked["ports"]) == [f"{port}/tcp"]
    assert published(asked) == [{"HostIp": "127.0.0.1", "HostPort": port}]
    assert asked["environment"]["KAFKA_ADVERTISED_LISTENERS"] == f"PLAINTEXT://{address}"
    assert f"PLAINTEXT://0.0.0.0:{port}" in asked["environment"]["KAFKA_LISTENERS"].split(",")
    assert engine.removed == 1


def test_kafka_is_one_node_of_its_own(engine: Engine) -> None:
    environment = containers.kafka_container(20001).env

    assert environment["KAFKA_PROCESS_ROLES"] == "broker,controller"
    voter = environment["KAFKA_CONTROLLER_QUORUM_VOTERS"].removeprefix(f"{environment['KAFKA_NODE_ID']}@")
    assert f"CONTROLLER://{voter}" in environment["KAFKA_LISTENERS"].split(",")
    assert {v for k, v in environment.items() if k.endswith(("REPLICATION_FACTOR", "MIN_ISR"))} == {"1"}


def test_mongodb_has_no_users_and_is_published_here_only(engine: Engine) -> None:
    with containers.running_mongodb() as uri:
        [asked] = engine.asked

    assert asked["image"] == "mongo:8.0"
    assert asked["environment"] == {}
    assert list(asked["ports"]) == ["27017/tcp"]
    assert published(asked) == [{"HostIp": "127.0.0.1", "HostPort": uri.removeprefix("mongodb://127.0.0.1:")}]


def test_a_server_that_never_answers_is_told_with_its_log(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "is_healthy", lambda check: False)

    with pytest.raises(AssertionError) as raised, containers.running_kafka(ready_seconds=0.01):
        pass

    assert "out of luck" in raised.value.__notes__[0]
    assert engine.removed == 1


@pytest.mark.parametrize(("exit_code", "host", "answer"), [(0, "", True), (1, "", False), (0, "tcp://far:2375", False)])
def test_only_an_engine_here_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exit_code: int, host: str, answer: bool
) -> None:
    command = tmp_path / "docker"
    command.write_text(f"#!/bin/sh\nexit {exit_code}\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", host)

    assert docker_answers() is answer


def test_without_the_command_there_is_no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert docker_answers() is False


@pytest.mark.parametrize(("answers", "chosen"), [(True, "_containers"), (False, "_local")])
def test_servers_come_from_the_engine_or_from_the_provisioner(
    monkeypatch: pytest.MonkeyPatch, answers: bool, chosen: str
) -> None:
    for variable in ("CAIRN_KAFKA", "CAIRN_MONGODB_URI"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(infra, "docker_answers", lambda: answers)
    asked: list[Infra] = []

    class Servers:
        def __init__(self, named: Infra) -> None:
            asked.append(named)

        def __enter__(self) -> Infra:
            return Infra("here:1", "mongodb://here:2")

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(infra, chosen, Servers)

    with open_infra() as opened:
        assert opened == Infra("here:1", "mongodb://here:2")
    assert asked == [Infra("", "")]
