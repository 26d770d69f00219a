"""The supervisor's plan: a list of processes, kept as a file that only the owner can read."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from cairn_local.paths import write_private

CheckKind = Literal["http", "kafka", "mongodb", "postgres", "tcp"]


@dataclass(frozen=True)
class Check:
    """How to see that a process is ready: `address` is host:port, or the path of a Unix socket.

    A Kafka that asks for credentials is asked as the user named, with the password in the file.
    """

    kind: CheckKind
    address: str
    username: str = ""
    password_file: str = ""


@dataclass(frozen=True)
class ProcessSpec:
    """One process: how to start it, when it is ready, how to stop it.

    A guest of the platform names the folder that it is about: later starts run it too while that folder exists.
    It stops before those that it is `after` do. It starts once they are ready, but not those that it starts `beside`:
    for them it waits itself. What a killed process leaves behind and its successor would stumble over is `stale`:
    removed before each start.
    """

    name: str
    argv: tuple[str, ...]
    env: dict[str, str]
    check: Check
    address: str
    after: tuple[str, ...] = field(default=())
    stop_signal: str = "SIGTERM"
    grace_seconds: float = 10.0
    guest_of: str = ""
    stale: tuple[str, ...] = field(default=())
    beside: tuple[str, ...] = field(default=())

    @property
    def starts_after(self) -> tuple[str, ...]:
        """The processes that have to be ready before this one is started."""
        return tuple(name for name in self.after if name not in self.beside)


def save_plan(path: Path, specs: Sequence[ProcessSpec]) -> None:
    """Write the list of processes."""
    write_private(path, json.dumps([asdict(spec) for spec in specs], indent=2))


def load_plan(path: Path) -> list[ProcessSpec]:
    """The list of processes; empty when none was written."""
    if not path.exists():
        return []
    return [_parse(entry) for entry in json.loads(path.read_text())]


def _parse(entry: dict[str, Any]) -> ProcessSpec:
    check = Check(**entry.pop("check"))
    # Missing in a plan that a version before wrote: its supervisor may still run when this one is asked.
    lists = (tuple(entry.pop(name, ())) for name in ("argv", "after", "stale", "beside"))
    argv, after, stale, beside = lists
    return ProcessSpec(check=check, argv=argv, after=after, stale=stale, beside=beside, **entry)
