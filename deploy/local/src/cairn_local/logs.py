"""The log files: their ends, what is added to them, and a limit to their growth."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from cairn_local.errors import LocalError
from cairn_local.paths import PRIVATE_FILE, StateDir

ROTATE_BYTES = 10 * 1024 * 1024
FILES_ASIDE = 2
POLL_SECONDS = 0.2
_BLOCK_BYTES = 64 * 1024


def rotate_logs(state: StateDir, *, limit_bytes: int = ROTATE_BYTES) -> None:
    """Put what is in big logs aside as `<name>.log.1`, and what was there as `<name>.log.2`; older lines go.

    Also while processes write: each keeps the file that it opened, and adds to its end wherever that is. What is added
    in the moment between the last look and the cut is lost.
    """
    for path in state.logs.glob("*.log"):
        if path.stat().st_size > limit_bytes:
            _put_aside(path, limit_bytes)


def _put_aside(path: Path, kept_bytes: int) -> None:
    for number in range(FILES_ASIDE, 1, -1):
        newer = path.with_suffix(f".log.{number - 1}")
        if newer.exists():
            newer.replace(path.with_suffix(f".log.{number}"))
    aside = path.with_suffix(".log.1")
    with path.open("r+b") as log:
        log.seek(-kept_bytes, os.SEEK_END)
        try:
            _copy(log, aside)
        except OSError:
            # Most likely the disk is full. A log that goes on growing would keep it so.
            aside.unlink(missing_ok=True)
        log.truncate(0)


def _copy(log: BinaryIO, aside: Path) -> None:
    aside.touch(mode=PRIVATE_FILE)
    with aside.open("wb", buffering=0) as file:
        while part := log.read(_BLOCK_BYTES):
            file.write(part)


def log_names(state: StateDir) -> list[str]:
    """The names of all processes that have a log."""
    return sorted(path.stem for path in state.logs.glob("*.log"))


def choose_logs(state: StateDir, name: str | None) -> list[str]:
    """The named log, or all; LocalError names those that exist when this one does not."""
    names = log_names(state)
    if name is None:
        return names
    if name not in names:
        raise LocalError(f"There is no log of {name!r}.", hint=f"There are: {', '.join(names) or 'none yet'}.")
    return [name]


def last_lines(path: Path, count: int) -> list[str]:
    """The last `count` lines, read from the end of the file."""
    if count <= 0 or not path.exists():
        return []
    with path.open("rb") as file:
        position, tail = file.seek(0, 2), b""
        while position > 0 and tail.count(b"\n") <= count:
            step = min(_BLOCK_BYTES, position)
            position = file.seek(position - step)
            tail = file.read(step) + tail
    return tail.decode(errors="replace").splitlines()[-count:]


def follow(state: StateDir, names: Sequence[str], *, going_on: Callable[[], bool]) -> Iterator[tuple[str, str]]:
    """Name and line of whatever is added to the logs from now on, for as long as `going_on` says."""
    offsets = {name: _size(state.log(name)) for name in names}
    while True:
        last_round = not going_on()
        for name in names:
            lines, offsets[name] = _read_on(state.log(name), offsets[name])
            yield from ((name, line) for line in lines)
        if last_round:
            return
        time.sleep(POLL_SECONDS)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _read_on(path: Path, offset: int) -> tuple[list[str], int]:
    """Whole lines from `offset` on, and where they end. A file that shrank is a new one."""
    size = _size(path)
    start = offset if size >= offset else 0
    if size == start:
        return [], start
    with path.open("rb") as file:
        file.seek(start)
        content = file.read(size - start)
    whole = content[: content.rfind(b"\n") + 1]
    return whole.decode(errors="replace").splitlines(), start + len(whole)
