"""Follows a copy: restic writes lines for people, also with `--json` (0.17 to 0.19)."""

import re
from dataclasses import replace

from integrations.sdk.job_log import OnLog

from connector.engine.port import OnProgress, Progress
from connector.engine.restic.output_parser import with_usage
from connector.engine.restic.runner import Listener, Usage

_BEGUN = re.compile(rb"snapshot [0-9a-f]+ of ")
_SIZE = re.compile(rb"\s*copy \d+ blobs with disk size (?P<size>[\d.]+) (?P<unit>[KMGT]?i?B) in \d+ packfiles")
_PACKS = re.compile(rb"\[[\d:]+\] +[\d.]+% +(?P<done>\d+) / (?P<total>\d+) packs copied")
_SAVED = re.compile(rb"snapshot (?P<copy>[0-9a-f]+) saved(?:, copied from source snapshot (?P<original>[0-9a-f]+))?")
_UNITS = {b"B": 0, b"KiB": 10, b"MiB": 20, b"GiB": 30, b"TiB": 40}


class CopyObserver:
    """Turns the lines of a copy into progress and log lines."""

    def __init__(self, snapshots: int, *, on_progress: OnProgress, on_log: OnLog) -> None:
        self._snapshots = max(snapshots, 1)
        self._on_progress = on_progress
        self._on_log = on_log
        self._usage = Usage()
        self._progress = Progress()
        self._begun = 0
        self._size = 0
        """Of what the snapshot that is being copied brings."""
        self._before = 0
        """Of what those before it brought."""
        self.listener = Listener(on_output=self._on_output, on_usage=self._on_usage, on_log=on_log)

    @property
    def bytes_copied(self) -> int:
        """What was copied in all."""
        return self._before + self._size

    def finish(self) -> None:
        """All are there: restic tells nothing of those that it passes over."""
        self._progress = replace(self._progress, fraction=1.0, bytes_done=self.bytes_copied)
        self._tell()

    def _on_usage(self, usage: Usage) -> None:
        self._usage = usage
        self._tell()

    def _on_output(self, line: bytes) -> None:
        if found := _PACKS.match(line):
            self._advance(int(found["done"]) / max(int(found["total"]), 1))
        elif found := _SAVED.match(line):
            what = f"restore point {found['original'].decode()}" if found["original"] else "a restore point"
            self._on_log("info", f"Copied {what} as {found['copy'].decode()}.")
        elif _BEGUN.match(line):
            self._before, self._size, self._begun = self._before + self._size, 0, self._begun + 1
            self._advance(0)
        elif found := _SIZE.match(line):
            self._size = int(float(found["size"]) * 2 ** _UNITS.get(found["unit"], 0))
            self._advance(0)

    def _advance(self, share: float) -> None:
        """How much of the present snapshot is copied."""
        done = min((max(self._begun - 1, 0) + share) / self._snapshots, 1.0)
        self._progress = Progress(
            fraction=done, bytes_done=self._before + int(self._size * share), bytes_total=self._before + self._size
        )
        self._tell()

    def _tell(self) -> None:
        self._on_progress(with_usage(self._progress, self._usage))
