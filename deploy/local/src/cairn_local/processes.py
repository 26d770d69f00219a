"""What the supervisor is told: a list of processes, kept as a file that only the owner can read."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from cairn_local.paths import write_private

CheckKind = Literal["http", "kafka", "mongodb", "postgres", "tcp"]


@dataclass(frozen=True)
class Check:
    """How to see that a process is ready: `address` is host:port, or the path of a socket for postgres."""

    kind: CheckKind
    address: str


@dataclass(frozen=True)
class ProcessSpec:
    """One process: how to start it, when it is ready, how to stop it.

    A guest of the platform names the folder that it is about: later starts run it too while that folder exists.
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
    argv, after = tuple(entry.pop("argv")), tuple(entry.pop("after"))
    return ProcessSpec(check=check, argv=argv, after=after, **entry)
