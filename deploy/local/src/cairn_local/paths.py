"""Where things are kept: the state of one platform and the cache that all of them share."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600


@dataclass(frozen=True)
class StateDir:
    """The folder of one platform. Everything in it is private to its owner."""

    root: Path

    @property
    def data(self) -> Path:
        """What Kafka, PostgreSQL and the connector keep."""
        return self.root / "data"

    @property
    def logs(self) -> Path:
        """One file per process."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """What belongs to the running processes: plan, process ids, locks."""
        return self.root / "run"

    @property
    def keys(self) -> Path:
        """The generated keys and passwords."""
        return self.root / "keys"

    @property
    def credentials(self) -> Path:
        """The first owner's credentials, written by the gateway."""
        return self.root / "credentials.json"

    @property
    def ports(self) -> Path:
        """The ports chosen last time."""
        return self.root / "ports.json"

    @property
    def addresses(self) -> Path:
        """Where the servers are, and the gateway."""
        return self.run / "addresses.json"

    @property
    def lock(self) -> Path:
        """Held while something is started or stopped."""
        return self.run / "lock"

    @property
    def rotation_lock(self) -> Path:
        """Held while the master key is replaced."""
        return self.run / "rotation.lock"

    @property
    def plan(self) -> Path:
        """What the supervisor is to run."""
        return self.run / "plan.json"

    @property
    def processes(self) -> Path:
        """What the supervisor is running."""
        return self.run / "processes.json"

    def key(self, name: str) -> Path:
        """The file of one generated key."""
        return self.keys / f"{name}.key"

    def password(self, server: str) -> Path:
        """The file of the password that a server asks for."""
        return self.keys / f"{server}.password"

    def log(self, name: str) -> Path:
        """The log file of one process."""
        return self.logs / f"{name}.log"

    def create(self) -> "StateDir":
        """Make the folders, readable by their owner only."""
        self.root.mkdir(parents=True, exist_ok=True)
        for folder in (self.root, self.data, self.logs, self.run, self.keys):
            folder.mkdir(exist_ok=True)
            folder.chmod(PRIVATE_FOLDER)
        return self


def find_state_dir(environ: Mapping[str, str], cwd: Path) -> StateDir:
    """`CAIRN_HOME`, else the nearest `.cairn` at or above `cwd`, else a new one in `cwd`."""
    if home := environ.get("CAIRN_HOME"):
        return StateDir((cwd / Path(home).expanduser()).resolve())
    candidates = [folder / ".cairn" for folder in (cwd, *cwd.parents)]
    found = next((folder for folder in candidates if folder.is_dir()), candidates[0])
    return StateDir(found.resolve())


def find_cache_dir(environ: Mapping[str, str]) -> Path:
    """`CAIRN_CACHE`, else `cairn` in `XDG_CACHE_HOME`, else `~/.cache/cairn`."""
    if cache := environ.get("CAIRN_CACHE"):
        return Path(cache).expanduser().absolute()
    base = environ.get("XDG_CACHE_HOME", "")
    # The XDG base directory specification has relative paths ignored.
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "cairn"


def write_private(path: Path, content: str, *, durable: bool = False) -> None:
    """Replace the file at once with one that only its owner can read; `durable`: it survives a loss of power."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=PRIVATE_FILE, exist_ok=False)
    temporary.write_text(content)
    if durable:
        _sync(temporary)
    temporary.replace(path)
    if durable:
        _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
