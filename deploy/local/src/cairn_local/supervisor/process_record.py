"""The record of what runs: process ids with their start times, so that a reused id is never taken for ours."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from cairn_local.paths import write_private

# The start time is computed from the boot time, which moves a little when the clock is set.
_START_TOLERANCE_SECONDS = 2.0


@dataclass(frozen=True)
class Running:
    """A process that was started: its id, when (seconds since 1970), and how often it was started again."""

    pid: int
    started: float
    restarts: int = 0


@dataclass(frozen=True)
class Record:
    """The supervisor and its processes by name."""

    supervisor: Running | None = None
    processes: dict[str, Running] = field(default_factory=dict)


def start_time(pid: int) -> float:
    """When the process started; 0.0 when it is gone already."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return 0.0


def find_process(running: Running | None) -> psutil.Process | None:
    """The process if it is alive and the one that was recorded, else None."""
    if running is None:
        return None
    try:
        process = psutil.Process(running.pid)
        same = abs(process.create_time() - running.started) <= _START_TOLERANCE_SECONDS
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def save_record(path: Path, record: Record) -> None:
    """Replace the record."""
    write_private(path, json.dumps(asdict(record), indent=2))


def load_record(path: Path) -> Record:
    """The last record; an empty one when there is none."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return Record()
    supervisor = content["supervisor"]
    return Record(
        Running(**supervisor) if supervisor else None,
        {name: Running(**entry) for name, entry in content["processes"].items()},
    )
