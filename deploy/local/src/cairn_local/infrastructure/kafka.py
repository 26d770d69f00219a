"""One Kafka node that is broker and controller at once. It lets in who knows the password in a private file."""

import base64
import hashlib
import secrets
import subprocess
import uuid
from dataclasses import replace
from pathlib import Path

from cairn_local.errors import LocalError
from cairn_local.infrastructure.kafka_settings import Accounts, Node, properties, setup_client
from cairn_local.keys import ensure_password
from cairn_local.paths import PRIVATE_FOLDER, StateDir, write_private
from cairn_local.ports import LOOPBACK
from cairn_local.process_plan import Check, ProcessSpec
from cairn_local.provision.java_and_kafka import KAFKA_PINS
from cairn_local.provision.programs import KafkaTools

# Ready in two seconds: no time spent on the best machine code, no threads for collecting a small heap.
JVM_OPTIONS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xms64m", "-Xmx384m", "-XX:+ExitOnOutOfMemoryError")
TOOL_SECONDS = 120
STOP_SECONDS = 20
USER = "cairn"


def prepare(state: StateDir, tools: KafkaTools, *, port: int, controller_port: int, env: dict[str, str]) -> None:
    """Write the settings, format the log folder unless that was done, and let our user in by the password we keep."""
    password = ensure_password(state, "kafka").read_text().strip()
    accounts = Accounts(USER, password, controller_password=secrets.token_urlsafe(32))
    node = Node(state.data / "kafka", port, controller_port)
    write_private(_settings(state), properties(node, accounts))
    if not (node.logs / "meta.properties").exists():
        node.logs.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        _format(state, tools, password)
    elif not _known(state, password):
        _set_password(state, tools, node, replace(accounts, setup=secrets.token_urlsafe(32)), env=env)
    write_private(_user(state), _digest(password), durable=True)


def access(state: StateDir) -> dict[str, str]:
    """How a client shows who it is: names and values of settings, after `kafka_`."""
    return {
        "security": "SASL_PLAINTEXT",
        "mechanism": "SCRAM-SHA-512",
        "username": USER,
        "password_file": str(state.password("kafka")),
    }


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
        argv=_server(tools, _settings(state)),
        env=env,
        check=Check("kafka", address, username=USER, password_file=str(state.password("kafka"))),
        address=address,
        grace_seconds=float(STOP_SECONDS),
    )


def _format(state: StateDir, tools: KafkaTools, password: str) -> None:
    # Arguments in a file: every user of the machine can read those of a command line.
    arguments = _private(state, "kafka.format", f"--add-scram\nSCRAM-SHA-512=[name={USER},password={password}]\n")
    options = ["--config", str(_settings(state)), "--cluster-id", new_cluster_id(), "--ignore-formatted"]
    try:
        _run([*_java(tools), "kafka.tools.StorageTool", "format", *options, f"@{arguments}"])
    finally:
        arguments.unlink()


def _set_password(state: StateDir, tools: KafkaTools, node: Node, accounts: Accounts, *, env: dict[str, str]) -> None:
    """Set the password in a node that was made without one, or with one that was lost.

    Only a running node does that, so it runs for some seconds with another way in, for one who is drawn for this time.
    """
    files = {
        "server": _private(state, "kafka.setup", properties(node, accounts)),
        "client": _private(state, "kafka.setup-client", setup_client(accounts)),
        "change": _private(state, "kafka.setup-change", f"SCRAM-SHA-512=password={accounts.password}\n"),
    }
    argv = [*_java(tools), "kafka.admin.ConfigCommand", "--bootstrap-server", f"{LOOPBACK}:{node.port}", "--alter"]
    argv += ["--entity-type", "users", "--entity-name", USER]
    argv += ["--command-config", str(files["client"]), "--add-config-file", str(files["change"])]
    log = state.log("kafka").open("ab")
    running = subprocess.Popen(_server(tools, files["server"]), env=env, cwd="/", stdout=log, stderr=log)
    try:
        _run(argv)
    finally:
        terminate_or_kill(running)
        log.close()
        for file in files.values():
            file.unlink()


def terminate_or_kill(running: "subprocess.Popen[bytes]", *, patience_seconds: float = STOP_SECONDS) -> None:
    """Stop a node for certain: with the temporary account it must not go on."""
    running.terminate()
    try:
        running.wait(patience_seconds)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()


def _run(argv: list[str]) -> None:
    result = subprocess.run(argv, capture_output=True, text=True, timeout=TOOL_SECONDS, check=False)
    if result.returncode:
        raise LocalError(f"Kafka could not be prepared:\n{(result.stderr or result.stdout).strip()}")


def _java(tools: KafkaTools) -> list[str]:
    logging = KAFKA_PINS / "log4j2.properties"
    return [str(tools.java), "-cp", f"{tools.jars}/*", f"-Dlog4j2.configurationFile={logging}"]


def _server(tools: KafkaTools, settings: Path) -> tuple[str, ...]:
    return (*_java(tools), *JVM_OPTIONS, "kafka.Kafka", str(settings))


def _private(state: StateDir, name: str, content: str) -> Path:
    path = state.run / name
    write_private(path, content)
    return path


def _settings(state: StateDir) -> Path:
    return state.run / "kafka.properties"


def _user(state: StateDir) -> Path:
    return state.data / "kafka.user"


def _digest(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


def _known(state: StateDir, password: str) -> bool:
    """Whether the node has our user with this password."""
    return _user(state).exists() and _user(state).read_text() == _digest(password)
