"""The settings of the one Kafka node."""

from dataclasses import dataclass
from pathlib import Path

from cairn_local.ports import LOOPBACK

_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"


@dataclass(frozen=True)
class Accounts:
    """Who may speak to the node. `setup` opens another way in, for the time in which the user's password is set."""

    username: str
    password: str
    controller_password: str
    setup: str = ""


@dataclass(frozen=True)
class Node:
    """Where the node keeps what it is sent, and where it listens."""

    logs: Path
    port: int
    controller_port: int


def properties(node: Node, accounts: Accounts) -> str:
    """The content of the settings file. It holds passwords."""
    return _lines(_listeners(node) | _security(accounts) | {"log.dirs": str(node.logs)} | _SMALL)


def setup_client(accounts: Accounts) -> str:
    """The settings of a client that comes in by the other way."""
    return _lines(
        {
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.jaas.config": _jaas(_PLAIN, username="setup", password=accounts.setup),
        }
    )


def _listeners(node: Node) -> dict[str, str | int]:
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        # Voters by address in the settings, not in the log: the port may be another one at the next start.
        "controller.quorum.voters": f"1@{LOOPBACK}:{node.controller_port}",
        "listeners": f"CLIENTS://{LOOPBACK}:{node.port},CONTROLLER://{LOOPBACK}:{node.controller_port}",
        "advertised.listeners": f"CLIENTS://{LOOPBACK}:{node.port}",
        "inter.broker.listener.name": "CLIENTS",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CLIENTS:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
    }


def _security(accounts: Accounts) -> dict[str, str | int]:
    """SCRAM for clients: who takes our port while the node is away does not learn the password from them.

    The controller cannot look into its own log before it runs, so it has the password of its only client, the broker.
    """
    ours = {"username": accounts.username, "password": accounts.password}
    controller = {"username": "controller", "password": accounts.controller_password}
    settings: dict[str, str | int] = {
        "listener.name.clients.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.clients.scram-sha-512.sasl.jaas.config": _jaas(_SCRAM, **ours),
        "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
        "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.controller.plain.sasl.jaas.config": _jaas(
            _PLAIN, **controller, user_controller=accounts.controller_password
        ),
        "sasl.mechanism.controller.protocol": "PLAIN",
    }
    if not accounts.setup:
        return settings
    return settings | {
        "listener.name.clients.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.clients.plain.sasl.jaas.config": _jaas(
            _PLAIN, username="setup", password=accounts.setup, user_setup=accounts.setup
        ),
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
    }


_SMALL: dict[str, str | int] = {
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


def _jaas(module: str, **options: str) -> str:
    given = " ".join(f'{name}="{value}"' for name, value in options.items())
    return f"{module} required {given};"


def _lines(settings: dict[str, str | int]) -> str:
    return "".join(f"{name}={value}\n" for name, value in settings.items())
