"""The whole platform of one state folder: up and down."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cairn_local import supervisor_control
from cairn_local.credentials import Credentials, load_credentials, refresh_url
from cairn_local.environment import SharedSettings, service_environment
from cairn_local.errors import LocalError
from cairn_local.health import is_socket, parse_address
from cairn_local.infrastructure.servers import check_named_servers, prepare_servers
from cairn_local.keys import ensure_keys
from cairn_local.locks import file_lock
from cairn_local.logs import rotate_logs
from cairn_local.paths import PRIVATE_FOLDER, StateDir, find_cache_dir, write_private
from cairn_local.ports import LOOPBACK, is_free, remember_ports
from cairn_local.process_plan import ProcessSpec, load_plan
from cairn_local.provision.cache import Cache
from cairn_local.provision.programs import Programs, provision_all
from cairn_local.services import GATEWAY, SERVICES, Service, service_spec
from cairn_local.step_reporters import Reporter, Step
from cairn_local.supervisor.process_record import Record, load_record

PORT_ATTEMPTS = 3


@dataclass(frozen=True)
class Addresses:
    """Where the platform is, and how one comes in. `mongodb_uri` may hold a password when it was given so.

    `kafka_access` has the settings of Kafka's clients by their names after `kafka_`: security, username, password_file.
    """

    gateway: str
    kafka: str
    mongodb_uri: str
    kafka_access: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Started:
    """What `up` found or made; `first_credentials` on the very first start only."""

    addresses: Addresses
    first_credentials: Credentials | None = None


def up(
    state: StateDir,
    *,
    reporter: Reporter,
    services: Sequence[Service] = SERVICES,
    environ: Mapping[str, str] = os.environ,
) -> Started:
    """Have the platform running and healthy: all of it is started, or what is missing of it.

    What cannot be started is said in a LocalError, and everything that this call started is stopped again.
    """
    state.create()
    with file_lock(state.lock):
        had_credentials = state.credentials.exists()
        if supervisor_control.is_running(state):
            supervisor_control.wait_until_healthy(state, [spec for spec in load_plan(state.plan) if not spec.guest_of])
        else:
            _start(state, reporter=reporter, services=services, environ=environ)
        addresses = load_addresses(state)
        refresh_url(state.credentials, addresses.gateway)
        return Started(addresses, None if had_credentials else load_credentials(state.credentials))


def down(state: StateDir) -> bool:
    """Stop everything and return when it has ended; False when nothing was running."""
    if not state.run.is_dir():
        # Nothing to lock and no record, but the folder may have been removed while everything ran.
        return supervisor_control.end_leftovers(state, Record())
    with file_lock(state.lock):
        return supervisor_control.stop(state)


def load_addresses(state: StateDir) -> Addresses:
    """Where the platform was started last; empty strings when it never was."""
    if not state.addresses.exists():
        return Addresses("", "", "")
    return Addresses(**json.loads(state.addresses.read_text()))


def _start(state: StateDir, *, reporter: Reporter, services: Sequence[Service], environ: Mapping[str, str]) -> None:
    supervisor_control.end_leftovers(state, load_record(state.processes))
    check_named_servers(environ)
    programs = provision_all(Cache(find_cache_dir(environ)), reporter, environ=environ)
    rotate_logs(state)
    ensure_keys(state)
    with reporter.step("Starting Cairn") as step, _stopped_on_failure(state):
        for _attempt in range(PORT_ATTEMPTS):
            step.say("preparing Kafka and the database")
            specs = _plan(state, programs, services=services, environ=environ)
            if _started(state, specs, step):
                return
        raise LocalError("Other programs take the ports as fast as they are chosen.", hint="Try again.")


def _started(state: StateDir, specs: Sequence[ProcessSpec], step: Step) -> bool:
    """Start everything; False, with nothing running, when somebody else took a port after it was chosen."""
    supervisor_control.supervise(state, [*specs, *_guests(state)])
    try:
        supervisor_control.wait_until_healthy(state, specs, step=step)
    except LocalError:
        supervisor_control.stop(state)
        listening = [spec.check.address for spec in specs if not is_socket(spec.check.address)]
        if any(not is_free(parse_address(address)[1]) for address in listening):
            return False
        raise
    return True


def _guests(state: StateDir) -> list[ProcessSpec]:
    """What others put beside the platform and still have a use for. Nobody waits for them."""
    return [spec for spec in load_plan(state.plan) if spec.guest_of and Path(spec.guest_of).is_dir()]


@contextmanager
def _stopped_on_failure(state: StateDir) -> Iterator[None]:
    try:
        yield
    except BaseException:
        supervisor_control.stop(state)
        raise


def _plan(
    state: StateDir, programs: Programs, *, services: Sequence[Service], environ: Mapping[str, str]
) -> list[ProcessSpec]:
    servers = prepare_servers(state, programs.kafka, programs.mongo, environ=environ)
    (state.data / "connector").mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    ports = remember_ports(
        state.ports,
        [service.name for service in services],
        usual={service.name: service.usual_port for service in services if service.usual_port},
    )
    shared = SharedSettings(
        kafka=servers.addresses.kafka,
        mongodb_uri=servers.addresses.mongodb_uri,
        kafka_access=servers.addresses.kafka_access,
        restic=str(programs.engine.restic),
        rclone=str(programs.engine.rclone),
        ports=ports,
    )
    gateway = f"http://{LOOPBACK}:{ports[GATEWAY]}" if GATEWAY in ports else ""
    addresses = Addresses(gateway, shared.kafka, shared.mongodb_uri, servers.addresses.kafka_access)
    write_private(state.addresses, json.dumps(asdict(addresses), indent=2))
    after = tuple(spec.name for spec in servers.specs)
    return servers.specs + [
        service_spec(
            service,
            address=f"{LOOPBACK}:{ports[service.name]}",
            env=service_environment(service, shared, state=state, services=services, environ=environ),
            after=after,
        )
        for service in services
    ]
