"""What runs where."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from cairn_local import supervisor_control
from cairn_local.paths import StateDir
from cairn_local.platform import load_addresses
from cairn_local.process_plan import ProcessSpec, load_plan
from cairn_local.supervisor.process_record import find_process, load_record
from cairn_local.supervisor.readiness import is_serving


@dataclass(frozen=True)
class ProcessStatus:
    """One process; `pid` is None while it does not run."""

    name: str
    pid: int | None
    address: str
    healthy: bool


@dataclass(frozen=True)
class Status:
    """The platform. `mongodb_uri` is without its password; `supervisor` is a process id.

    `kafka_access` tells how Kafka is spoken to, by the names of settings after `kafka_`; the password is in a file.
    """

    state_dir: str
    running: bool
    gateway: str
    kafka: str
    mongodb_uri: str
    processes: list[ProcessStatus]
    credentials_file: str
    supervisor: int | None
    kafka_access: dict[str, str]

    @property
    def healthy(self) -> bool:
        """Whether everything runs and answers."""
        return self.running and all(process.healthy for process in self.processes)

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)


def read_status(state: StateDir) -> Status:
    """Look at every process and ask each server for its health."""
    running = supervisor_control.is_running(state)
    addresses = load_addresses(state)
    record = load_record(state.processes)
    supervisor = find_process(record.supervisor)
    return Status(
        state_dir=str(state.root),
        running=running,
        gateway=addresses.gateway,
        kafka=addresses.kafka,
        mongodb_uri=without_password(addresses.mongodb_uri),
        processes=_processes(state, load_plan(state.plan)),
        credentials_file=str(state.credentials),
        supervisor=supervisor.pid if supervisor else None,
        kafka_access=addresses.kafka_access,
    )


def without_password(uri: str) -> str:
    """The URI with `***` in place of a password."""
    return re.sub(r"(://[^:/@]*):[^@/]*@", r"\1:***@", uri)


def _processes(state: StateDir, specs: Sequence[ProcessSpec]) -> list[ProcessStatus]:
    record = load_record(state.processes)

    def look(spec: ProcessSpec) -> ProcessStatus:
        running = record.processes.get(spec.name)
        process, healthy = find_process(running), is_serving(spec, running)
        return ProcessStatus(spec.name, process.pid if process else None, spec.address, healthy)

    with ThreadPoolExecutor(max_workers=len(specs) or 1) as pool:
        return list(pool.map(look, specs))
