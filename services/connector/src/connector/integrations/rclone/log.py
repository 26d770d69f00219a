"""Reads the JSON lines that rclone writes to standard error."""

from time import monotonic

import msgspec
from chassis.scrubbing import Scrubber

from connector.engine.places import UnreadablePath
from connector.engine.port import PROBLEMS_MAX, OnLog

_TOLD_EVERY_SECONDS = 10.0
_MIB = 1 << 20
_DIRECTORY_UNREAD = "error reading source directory:"
"""Of a directory below the root; that the root cannot be read is said otherwise, and ends the run."""


class _Stats(msgspec.Struct):
    bytes: int = 0
    totalBytes: int = 0
    transfers: int = 0


class _Line(msgspec.Struct):
    level: str = ""
    msg: str = ""
    object: str = ""
    objectType: str = ""
    stats: _Stats | None = None


class RcloneLog:
    """What a run said: objects and directories it could not read, its last words, and now and then how far it is."""

    def __init__(self, on_log: OnLog, scrub: Scrubber) -> None:
        self._on_log = on_log
        self._scrub = scrub
        self._told = monotonic()
        self._problems: dict[str, UnreadablePath] = {}
        self.words = ""

    @property
    def problems(self) -> tuple[UnreadablePath, ...]:
        """Objects that could not be read, each once."""
        return tuple(self._problems.values())

    def take(self, raw: bytes) -> None:
        """One line."""
        text = self._scrub(raw.decode("utf-8", "backslashreplace"))
        try:
            line = msgspec.json.decode(text, type=_Line)
        except msgspec.MsgspecError:
            self.words = text.strip() or self.words
            return
        if line.stats is not None:
            self._tell(line.stats)
        elif line.objectType.endswith(".Object") or line.msg.startswith(_DIRECTORY_UNREAD):
            self._add(line)
        elif line.level in ("error", "critical", "notice"):
            self.words = line.msg

    def _add(self, line: _Line) -> None:
        if line.level == "error" and len(self._problems) < PROBLEMS_MAX:
            path = f"/{line.object}"
            self._problems[path] = UnreadablePath(path, line.msg.rpartition(": ")[2])

    def _tell(self, stats: _Stats) -> None:
        if monotonic() - self._told < _TOLD_EVERY_SECONDS:
            return
        self._told = monotonic()
        done, total = stats.bytes / _MIB, stats.totalBytes / _MIB
        self._on_log("info", f"{stats.transfers} objects copied, {done:.0f} of {total:.0f} MiB")
