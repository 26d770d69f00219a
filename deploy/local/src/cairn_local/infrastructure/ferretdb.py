"""FerretDB: speaks MongoDB's protocol in front of PostgreSQL."""

from pathlib import Path
from urllib.parse import urlencode

from cairn_local.infrastructure.postgres import CONNECTIONS, DATABASE, USER, socket_folder
from cairn_local.paths import StateDir
from cairn_local.ports import LOOPBACK
from cairn_local.processes import Check, ProcessSpec


def spec(state: StateDir, program: Path, *, port: int, env: dict[str, str]) -> ProcessSpec:
    """The server process; it starts once PostgreSQL answers."""
    address = f"{LOOPBACK}:{port}"
    parameters = {"host": str(socket_folder(state)), "user": USER, "pool_max_conns": str(CONNECTIONS)}
    settings = {
        "FERRETDB_HANDLER": "postgresql",
        "FERRETDB_POSTGRESQL_URL": f"postgres:///{DATABASE}?{urlencode(parameters)}",
        "FERRETDB_LISTEN_ADDR": address,
        "FERRETDB_DEBUG_ADDR": "-",
        "FERRETDB_STATE_DIR": str(state.data / "ferretdb"),
        "FERRETDB_TELEMETRY": "disable",
        # Its warnings quote the answers, and so the documents, of commands that failed.
        "FERRETDB_LOG_LEVEL": "error",
    }
    return ProcessSpec(
        name="mongodb",
        argv=(str(program),),
        env=env | settings,
        check=Check("mongodb", address),
        address=address,
        after=("postgres",),
    )
