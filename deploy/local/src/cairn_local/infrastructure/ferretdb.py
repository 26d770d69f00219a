"""FerretDB: speaks MongoDB's protocol in front of PostgreSQL, on a socket in a private folder."""

from pathlib import Path
from urllib.parse import urlencode

from cairn_local.infrastructure.postgres import CONNECTIONS, DATABASE, SERVER, USER
from cairn_local.infrastructure.socket_folders import socket_folder
from cairn_local.paths import StateDir
from cairn_local.process_plan import Check, ProcessSpec

SOCKET_NAME = "mongodb.sock"


def spec(state: StateDir, program: Path, *, env: dict[str, str]) -> ProcessSpec:
    """The server process; it starts once PostgreSQL answers."""
    path = str(socket_folder(state, "mongodb") / SOCKET_NAME)
    parameters = {"host": str(socket_folder(state, SERVER)), "user": USER, "pool_max_conns": str(CONNECTIONS)}
    settings = {
        "FERRETDB_HANDLER": "postgresql",
        "FERRETDB_POSTGRESQL_URL": f"postgres:///{DATABASE}?{urlencode(parameters)}",
        # It knows no users of its own, so that it must not be reached by any other.
        "FERRETDB_LISTEN_ADDR": "",
        "FERRETDB_LISTEN_UNIX": path,
        "FERRETDB_DEBUG_ADDR": "-",
        "FERRETDB_STATE_DIR": str(state.data / "ferretdb"),
        "FERRETDB_TELEMETRY": "disable",
        # Its errors and warnings quote the statements, and so the documents, of commands that failed; a claim that
        # comes too late is one. Of statements that failed PostgreSQL has a line, without what they were about.
        "FERRETDB_LOG_LEVEL": "ERROR+1",
    }
    return ProcessSpec(
        name="mongodb",
        argv=(str(program),),
        env=env | settings,
        check=Check("mongodb", path),
        address=path,
        after=("postgres",),
        stale=(path,),
    )
