"""A `mongod` found on the path, in place of FerretDB and PostgreSQL; on a socket in a private folder."""

from pathlib import Path

from cairn_local.infrastructure.ferretdb import SOCKET_NAME
from cairn_local.infrastructure.socket_folders import socket_folder
from cairn_local.paths import PRIVATE_FOLDER, StateDir
from cairn_local.process_plan import Check, ProcessSpec


def prepare(state: StateDir) -> None:
    """Create the data folder unless it exists."""
    (state.data / "mongod").mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def spec(state: StateDir, program: Path, *, env: dict[str, str]) -> ProcessSpec:
    """The server process."""
    path = str(socket_folder(state, "mongodb") / SOCKET_NAME)
    # The named socket alone: no TCP port, and not the usual socket in the temporary folder.
    options = ["--dbpath", str(state.data / "mongod"), "--bind_ip", path, "--nounixsocket"]
    options += ["--filePermissions", "0700", "--quiet", "--wiredTigerCacheSizeGB", "0.25"]
    return ProcessSpec(
        name="mongodb",
        argv=(str(program), *options),
        env=env,
        check=Check("mongodb", path),
        address=path,
        grace_seconds=20.0,
        stale=(path,),
    )
