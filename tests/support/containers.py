"""Kafka and MongoDB in containers that publish one port each, on the loopback address."""

from collections.abc import Iterator
from contextlib import contextmanager

from cairn_local.health import is_healthy
from cairn_local.ports import LOOPBACK, choose_ports
from cairn_local.process_plan import Check
from testcontainers.core.container import DockerContainer

from tests.support.waiting import eventually

KAFKA_IMAGE = "apache/kafka:4.3.0"
MONGODB_IMAGE = "mongo:8.0"
MONGODB_PORT = 27017
READY_SECONDS = 90


@contextmanager
def running_kafka(*, ready_seconds: float = READY_SECONDS) -> Iterator[str]:
    """A Kafka of one node; its address."""
    port = _free_port()
    with kafka_container(port) as container:
        _wait_until_ready(container, Check("kafka", f"{LOOPBACK}:{port}"), ready_seconds)
        yield f"{LOOPBACK}:{port}"


@contextmanager
def running_mongodb(*, ready_seconds: float = READY_SECONDS) -> Iterator[str]:
    """A MongoDB that asks nobody for a password; its URI."""
    port = _free_port()
    with mongodb_container(port) as container:
        _wait_until_ready(container, Check("mongodb", f"{LOOPBACK}:{port}"), ready_seconds)
        yield f"mongodb://{LOOPBACK}:{port}"


def kafka_container(port: int) -> DockerContainer:
    """Broker and controller in one, on the same port inside as outside: one address is right from both sides."""
    controller = port + 1
    settings = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": f"1@{LOOPBACK}:{controller}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENERS": f"PLAINTEXT://0.0.0.0:{port},CONTROLLER://{LOOPBACK}:{controller}",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{LOOPBACK}:{port}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "PLAINTEXT",
        "KAFKA_LOG_DIRS": "/tmp/kafka-logs",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "8",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
    }
    return _publish(DockerContainer(KAFKA_IMAGE, env=settings), inside=port, outside=port)


def mongodb_container(port: int) -> DockerContainer:
    """A server without users."""
    return _publish(DockerContainer(MONGODB_IMAGE), inside=MONGODB_PORT, outside=port)


def _publish(container: DockerContainer, *, inside: int, outside: int) -> DockerContainer:
    # Docker takes an address beside the port; `with_bind_ports` does not, and would open it to the network.
    container.ports[f"{inside}/tcp"] = (LOOPBACK, outside)  # type: ignore[assignment]
    return container


def _wait_until_ready(container: DockerContainer, check: Check, ready_seconds: float) -> None:
    try:
        eventually(lambda: is_healthy(check), deadline_seconds=ready_seconds)
    except AssertionError as error:
        error.add_note("\n".join(part.decode(errors="replace")[-4000:] for part in container.get_logs()))
        raise


def _free_port() -> int:
    return choose_ports(["server"], {})["server"]
