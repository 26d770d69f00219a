"""Turns what restic says during a run into progress, log lines and a result."""

from dataclasses import replace
from pathlib import Path

from contracts.task_types.backup import BackupResult
from integrations.sdk.job_log import OnLog
from integrations.sdk.locations import SourceTree

from connector.engine.port import PROBLEMS_MAX, OnProgress, Progress
from connector.engine.problems import Problems
from connector.engine.restic.exit_codes import is_away
from connector.engine.restic.file_names import exact_path
from connector.engine.restic.json_lines import (
    Message,
    backup_progress,
    backup_summary,
    error_words,
    is_about_the_store,
    read_message,
    unreadable_path,
)
from connector.engine.restic.runner import Listener, Usage

FAILED_TOLD = 20
_ADVICE = (
    "The repository contains damaged pack files",
    "The repository index is damaged and must be repaired",
    "The repository is damaged and must be repaired",
    "restic repair ",
    "Damaged pack files can be caused",
)
"""What restic says to whoever runs it by hand."""


class BackupObserver:
    """Follows a backup."""

    def __init__(self, source: SourceTree, *, on_progress: OnProgress, on_log: OnLog) -> None:
        self._directory = str(source.directory)
        self._on_progress = on_progress
        self._usage = Usage()
        self._on_log = on_log
        self.problems = Problems(on_log)
        self.summary: BackupResult | None = None
        self.heard = False
        """Whether restic complained of anything by name."""
        self.listener = Listener(
            on_output=self._on_output, on_error=self._on_error, on_usage=self._on_usage, on_log=on_log
        )
        for problem in source.problems:
            self.problems.add(problem)

    def _on_output(self, line: bytes) -> None:
        message = read_message(line)
        if message is None:
            return
        if message["message_type"] == "status":
            failed = tuple(problem.path for problem in self.problems.kept[-FAILED_TOLD:])
            self._on_progress(replace(with_usage(backup_progress(message), self._usage), failed=failed))
        elif message["message_type"] == "summary" and message.get("snapshot_id"):
            self.summary = backup_summary(message)

    def _on_error(self, message: Message) -> None:
        if is_about_the_store(message):
            self.heard = True
            self._on_log("warning", error_words(message))
        elif problem := unreadable_path(message, self._directory):
            self.heard = True
            self.problems.add(replace(problem, path=exact_path(Path(self._directory), problem.path)))

    def _on_usage(self, usage: Usage) -> None:
        self._usage = usage


class CheckObserver:
    """Collects what a check finds."""

    def __init__(self, *, on_progress: OnProgress, on_log: OnLog, listed_max: int = PROBLEMS_MAX) -> None:
        self._on_progress = on_progress
        self._on_log = on_log
        self._listed_max = listed_max
        self.findings: list[str] = []
        """The first ones."""
        self.finding_count = 0
        self.outage = ""
        """Why something could not be read from a store that was away, in the end."""
        self.listener = Listener(on_error=self._on_error, on_usage=self._on_usage, on_log=on_log)

    def _on_usage(self, usage: Usage) -> None:
        # With `--json`, restic 0.17 to 0.19 tell nothing of a check before its end.
        self._on_progress(with_usage(Progress(), usage))

    def _on_error(self, message: Message) -> None:
        words = error_words(message).strip()
        if not words or words.startswith(_ADVICE):
            return
        if is_away(words):
            self.outage = words
            self._on_log("warning", words)
            return
        self.finding_count += 1
        if self.finding_count <= self._listed_max:
            self.findings.append(words)
            self._on_log("error", words)


def with_usage(progress: Progress, usage: Usage) -> Progress:
    """Progress, with the engine's process and what it uses."""
    return replace(
        progress, cpu_percent=usage.cpu_percent, memory_bytes=usage.memory_bytes, process_id=usage.process_id
    )
