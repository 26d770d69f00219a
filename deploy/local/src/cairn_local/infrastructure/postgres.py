"""PostgreSQL as the store below FerretDB: reached through a socket in a private folder, no TCP port."""

import os
import shutil
import subprocess
from pathlib import Path

import psutil

from cairn_local.errors import LocalError
from cairn_local.infrastructure.privileges import drop_root, hand_over
from cairn_local.infrastructure.socket_folders import socket_folder
from cairn_local.paths import PRIVATE_FOLDER, StateDir
from cairn_local.process_plan import Check, ProcessSpec

SERVER = "postgres"
USER = "cairn"
DATABASE = "ferretdb"
CONNECTIONS = 40
_SOCKET_NAME = ".s.PGSQL.5432"
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": str(CONNECTIONS + 5),
    "shared_buffers": "64MB",
    "work_mem": "8MB",
    "max_wal_size": "512MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "io_method": "sync",
    "max_parallel_workers_per_gather": "0",
    "max_logical_replication_workers": "0",
    "autovacuum_max_workers": "1",
    # Without statistics, a lookup reads the whole index entry of an organization beside that of the id.
    "autovacuum_naptime": "10s",
    "jit": "off",
    # FerretDB passes field names as parameters; only a plan made for their values can use an index on a field.
    "plan_cache_mode": "force_custom_plan",
    "log_min_messages": "warning",
    # A failed statement is FerretDB's to report; here its text would put documents into the log.
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    # Without the details of an error, which are values out of documents.
    "log_error_verbosity": "terse",
}


def prepare(state: StateDir, installation: Path) -> None:
    """Create the database cluster, with FerretDB's database and index trigger in it, unless it exists."""
    cluster = state.data / "postgres"
    if cluster.exists():
        _drop_stale_locks(cluster, _sockets(state))
        return
    unfinished = state.data / "postgres.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=PRIVATE_FOLDER)
    hand_over(unfinished)
    programs = installation / "bin"
    options = ["--username", USER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-instructions"]
    _run([str(programs / "initdb"), "--pgdata", str(unfinished), *options], script="")
    single = [str(programs / "postgres"), "--single", "-j", "-D", str(unfinished)]
    _run([*single, "postgres"], script=f"CREATE DATABASE {DATABASE};\n\n")
    _run([*single, DATABASE], script=Path(__file__).with_name("ferretdb.sql").read_text())
    unfinished.rename(cluster)


def spec(state: StateDir, installation: Path, *, env: dict[str, str]) -> ProcessSpec:
    """The server process."""
    sockets = _sockets(state)
    settings = SETTINGS | {"unix_socket_directories": str(sockets)}
    argv = [str(installation / "bin" / "postgres"), "-D", str(state.data / "postgres")]
    argv += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return ProcessSpec(
        name="postgres",
        argv=(*drop_root(), *argv),
        env=env,
        check=Check("postgres", str(sockets / _SOCKET_NAME)),
        address=str(sockets),
        # The fast shutdown: SIGTERM would wait until FerretDB hangs up.
        stop_signal="SIGINT",
        grace_seconds=20.0,
    )


def _sockets(state: StateDir) -> Path:
    folder = socket_folder(state, SERVER)
    hand_over(folder)
    return folder


def _drop_stale_locks(cluster: Path, sockets: Path) -> None:
    """Remove the lock files of a server that was killed.

    PostgreSQL takes a killed server for alive as long as its parent has not noticed its end, which the first process
    of a container often never does. All of a server's processes have the cluster as their current folder.
    """
    in_use = any(process.info["cwd"] == str(cluster) for process in psutil.process_iter(["cwd"]))
    for lock in () if in_use else (cluster / "postmaster.pid", sockets / f"{_SOCKET_NAME}.lock"):
        lock.unlink(missing_ok=True)


def _run(argv: list[str], *, script: str) -> None:
    command = [*drop_root(), *argv]
    # A caller's PGDATA, PGOPTIONS and the like are meant for another server.
    env = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    result = subprocess.run(command, input=script, env=env, cwd="/", capture_output=True, text=True, check=False)
    if result.returncode or "ERROR:" in result.stderr:
        program = Path(argv[0]).name
        raise LocalError(f"PostgreSQL could not be prepared: {program} said:\n{result.stderr.strip()}")
