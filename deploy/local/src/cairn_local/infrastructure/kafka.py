"""One Kafka node that is broker and controller at once."""

import base64
import subprocess
import uuid
from pathlib import Path

from cairn_local.errors import LocalError
from cairn_local.paths import PRIVATE_FOLDER, StateDir, write_private
from cairn_local.ports import LOOPBACK
from cairn_local.processes import Check, ProcessSpec
from cairn_local.provision.java import KAFKA_PINS
from cairn_local.provision.toolbox import KafkaTools

# Ready in two seconds: no time spent on the best machine code, no threads for collecting a small heap.
JVM_OPTIONS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xms64m", "-Xmx384m", "-XX:+ExitOnOutOfMemoryError")
FORMAT_SECONDS = 120


def prepare(state: StateDir, tools: KafkaTools, *, port: int, controller_port: int) -> None:
    """Write the settings, and format the log folder unless that was done."""
    logs = state.data / "kafka"
    write_private(_settings(state), _properties(logs, port=port, controller_port=controller_port))
    if (logs / "meta.properties").exists():
        return
    logs.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    storage_tool = [*_java(tools), "kafka.tools.StorageTool", "format", "--config", str(_settings(state))]
    argv = [*storage_tool, "--cluster-id", new_cluster_id(), "--ignore-formatted"]
    result = subprocess.run(argv, capture_output=True, text=True, timeout=FORMAT_SECONDS, check=False)
    if result.returncode:
        raise LocalError(f"Kafka's log folder could not be formatted:\n{(result.stderr or result.stdout).strip()}")


def new_cluster_id() -> str:
    """A random id as Kafka writes it. Its tools take one that begins with a dash for an option."""
    cluster = "-"
    while cluster.startswith("-"):
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    return cluster


def spec(state: StateDir, tools: KafkaTools, *, port: int, env: dict[str, str]) -> ProcessSpec:
    """The server process."""
    address = f"{LOOPBACK}:{port}"
    return ProcessSpec(
        name="kafka",
        argv=(*_java(tools), *JVM_OPTIONS, "kafka.Kafka", str(_settings(state))),
        env=env,
        check=Check("kafka", address),
        address=address,
        grace_seconds=20.0,
    )


def _java(tools: KafkaTools) -> list[str]:
    logging = KAFKA_PINS / "log4j2.properties"
    return [str(tools.java), "-cp", f"{tools.jars}/*", f"-Dlog4j2.configurationFile={logging}"]


def _settings(state: StateDir) -> Path:
    return state.run / "kafka.properties"


def _properties(logs: Path, *, port: int, controller_port: int) -> str:
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        # Voters by address in the settings, not in the log: the port may be another one at the next start.
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(logs),
        # After a kill the node waits until the session of its former self is over; the default is nine seconds.
        "broker.session.timeout.ms": 3000,
        "broker.heartbeat.interval.ms": 500,
        "metadata.max.idle.interval.ms": 5000,
        "auto.create.topics.enable": "false",
        "num.network.threads": 2,
        "num.io.threads": 4,
        "background.threads": 2,
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
        "offsets.topic.num.partitions": 8,
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        "group.min.session.timeout.ms": 1000,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())
