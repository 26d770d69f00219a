"""Kafka and MongoDB of one state folder: prepared, and described for the supervisor."""

import os
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import quote

from cairn_local.environment import base_environment, named_kafka_access
from cairn_local.errors import LocalError
from cairn_local.health import is_healthy
from cairn_local.infrastructure import ferretdb, kafka, mongod, postgres
from cairn_local.paths import StateDir
from cairn_local.ports import remember_ports
from cairn_local.process_plan import Check, ProcessSpec
from cairn_local.provision.programs import FerretTools, KafkaTools, MongodTools


@dataclass(frozen=True)
class Addresses:
    """Where Kafka (host:port) and MongoDB (URI) are; empty for one that was not asked for.

    `kafka_access` has the settings of Kafka's clients by their names after `kafka_`.
    """

    kafka: str = ""
    mongodb_uri: str = ""
    kafka_access: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Servers:
    """The addresses, and the processes that have to run for them."""

    addresses: Addresses
    specs: list[ProcessSpec] = field(default_factory=list)


def prepare_servers(
    state: StateDir,
    kafka_tools: KafkaTools | None,
    mongo_tools: FerretTools | MongodTools | None,
    *,
    environ: Mapping[str, str] = os.environ,
) -> Servers:
    """Create what is missing in the state folder. Where tools are None, the address comes from `environ`."""
    kafka_address, kafka_specs = environ.get("CAIRN_KAFKA", ""), list[ProcessSpec]()
    kafka_access = named_kafka_access(environ)
    mongodb_uri, mongo_specs = environ.get("CAIRN_MONGODB_URI", ""), list[ProcessSpec]()
    env = base_environment(state, environ)
    # Side by side: each waits for programs that it runs.
    with ThreadPoolExecutor() as pool:
        database = pool.submit(_mongodb, state, mongo_tools, env=env) if mongo_tools else None
        if kafka_tools:
            kafka_specs = [_kafka(state, kafka_tools, env=env)]
            kafka_address, kafka_access = kafka_specs[0].address, kafka.access(state)
    if database:
        mongo_specs = database.result()
        mongodb_uri = f"mongodb://{quote(mongo_specs[-1].address, safe='')}/"
    return Servers(Addresses(kafka_address, mongodb_uri, kafka_access), kafka_specs + mongo_specs)


def check_named_servers(environ: Mapping[str, str]) -> None:
    """Raise LocalError when nothing listens where CAIRN_KAFKA or CAIRN_MONGODB_URI says."""
    # Addresses of another form (a host without a port, mongodb+srv) are left to the clients of our services.
    kafka = re.findall(r"([^,:/]+:\d+)(?:,|$)", environ.get("CAIRN_KAFKA", ""))
    mongodb = re.findall(r"(?:^mongodb://|[@,])([^@,:/]+:\d+)(?=[,/?]|$)", environ.get("CAIRN_MONGODB_URI", ""))
    for variable, addresses in (("CAIRN_KAFKA", kafka), ("CAIRN_MONGODB_URI", mongodb)):
        if addresses and not any(is_healthy(Check("tcp", address)) for address in addresses):
            raise LocalError(
                f"{variable} names {', '.join(addresses)}, where nothing listens.",
                hint=f"Start that server, or unset {variable} to have one started here.",
            )


def _kafka(state: StateDir, tools: KafkaTools, *, env: dict[str, str]) -> ProcessSpec:
    ports = remember_ports(state.ports, ["kafka", "kafka-controller"])
    kafka.prepare(state, tools, port=ports["kafka"], controller_port=ports["kafka-controller"], env=env)
    return kafka.spec(state, tools, port=ports["kafka"], env=env)


def _mongodb(state: StateDir, tools: FerretTools | MongodTools, *, env: dict[str, str]) -> list[ProcessSpec]:
    if isinstance(tools, MongodTools):
        mongod.prepare(state)
        return [mongod.spec(state, tools.mongod, env=env)]
    postgres.prepare(state, tools.postgres)
    return [
        postgres.spec(state, tools.postgres, env=env),
        ferretdb.spec(state, tools.ferretdb, env=env),
    ]
