"""Real servers for tests: those the environment names, else containers, else the local provisioner's."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cairn_local.environment import named_kafka_access

if TYPE_CHECKING:
    from cairn_local.provision.programs import EngineTools


@dataclass(frozen=True)
class Infra:
    """Addresses of a Kafka and of a MongoDB, and how Kafka is spoken to: settings by their names after `kafka_`."""

    kafka: str
    mongodb_uri: str
    kafka_access: dict[str, str] = field(default_factory=dict)


@contextmanager
def open_infra() -> Iterator[Infra]:
    """Servers for one run of tests, stopped at the end unless the environment named them."""
    kafka = os.environ.get("CAIRN_KAFKA", "")
    named = Infra(kafka, os.environ.get("CAIRN_MONGODB_URI", ""), named_kafka_access(os.environ) if kafka else {})
    if named.kafka and named.mongodb_uri:
        yield named
    elif docker_answers():
        with _containers(named) as infra:
            yield infra
    else:
        with _local(named) as infra:
            yield infra


def docker_answers() -> bool:
    """Whether there is a Docker engine on this machine, not only its command."""
    host = os.environ.get("DOCKER_HOST") or "unix:"
    if not host.startswith("unix:"):
        return False  # It would publish its ports elsewhere.
    try:
        done = subprocess.run(["docker", "info"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


@contextmanager
def _containers(named: Infra) -> Iterator[Infra]:
    from tests.support.containers import running_kafka, running_mongodb

    with ExitStack() as stack:
        kafka = named.kafka or stack.enter_context(running_kafka())
        mongodb_uri = named.mongodb_uri or stack.enter_context(running_mongodb())
        yield Infra(kafka, mongodb_uri, named.kafka_access)


@contextmanager
def _local(named: Infra) -> Iterator[Infra]:
    from cairn_local.infrastructure import start

    with (
        tempfile.TemporaryDirectory(prefix="cairn-tests-") as folder,
        start(Path(folder), kafka=not named.kafka, mongodb=not named.mongodb_uri) as started,
    ):
        access = named.kafka_access if named.kafka else started.kafka_access
        yield Infra(named.kafka or started.kafka, named.mongodb_uri or started.mongodb_uri, access)


def find_restic() -> Path:
    """The restic under test: `CAIRN_RESTIC`, else the provisioner's."""
    return _named("CAIRN_RESTIC") or _engine().restic


def find_rclone() -> Path:
    """The rclone under test: `CAIRN_RCLONE`, else the provisioner's."""
    return _named("CAIRN_RCLONE") or _engine().rclone


def _named(variable: str) -> Path | None:
    return Path(os.environ[variable]) if os.environ.get(variable) else None


def _engine() -> "EngineTools":
    from cairn_local.paths import find_cache_dir
    from cairn_local.provision.cache import Cache
    from cairn_local.provision.programs import provision_engine
    from cairn_local.reporter_choice import open_reporter

    return provision_engine(Cache(find_cache_dir(os.environ)), open_reporter(sys.__stderr__))
