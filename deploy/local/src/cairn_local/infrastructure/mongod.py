"""A `mongod` found on the path, in place of FerretDB and PostgreSQL."""

from pathlib import Path

from cairn_local.paths import PRIVATE_FOLDER, StateDir
from cairn_local.ports import LOOPBACK
from cairn_local.processes import Check, ProcessSpec


def prepare(state: StateDir) -> None:
    """Create the data folder unless it exists."""
    (state.data / "mongod").mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def spec(state: StateDir, program: Path, *, port: int, env: dict[str, str]) -> ProcessSpec:
    """The server process."""
    address = f"{LOOPBACK}:{port}"
    options = ["--dbpath", str(state.data / "mongod"), "--bind_ip", LOOPBACK, "--port", str(port)]
    options += ["--nounixsocket", "--quiet", "--wiredTigerCacheSizeGB", "0.25"]
    return ProcessSpec(
        name="mongodb",
        argv=(str(program), *options),
        env=env,
        check=Check("mongodb", address),
        address=address,
        grace_seconds=20.0,
    )
