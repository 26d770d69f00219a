"""The words of a job's log."""

from collections.abc import Callable
from typing import Any

from contracts.tasks import BackupResult, CheckResult, RestoreResult, Task, TaskResult
from contracts.values import Value

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def describe_task(task: Task) -> str:
    """What should happen, in one line: `backup of Photos to Vault`."""
    target = f" to {task.target.name}" if task.target else ""
    return f"{task.type} of {task.origin.name}{target}"


def describe_result(result: TaskResult) -> str:
    """What a job came to, in one line."""
    describe = _DESCRIBED.get(type(result))
    # A type without words must not fail the message about the end: its job would run for ever.
    return describe(result) if describe else "succeeded"


def _backup(summary: BackupResult) -> str:
    return (
        f"restore point {summary.snapshot_id[:8]} with {summary.files_processed} files, {summary.files_new} new and "
        f"{summary.files_changed} changed; {describe_bytes(summary.bytes_processed)} read, "
        f"{describe_bytes(summary.bytes_added)} added to the store, in {summary.duration_seconds:.1f} s"
    )


def _check(result: CheckResult) -> str:
    what = f"restore point {result.snapshot_id[:8]}" if result.snapshot_id else "the store"
    found = f"{result.finding_count} problems" if result.finding_count else "no problem"
    return f"{found} found in {what}, {result.read_percent:g} % of its data read, in {result.duration_seconds:.1f} s"


def _restore(result: RestoreResult) -> str:
    return (
        f"{result.files_written} of {result.files} files written with {describe_bytes(result.bytes_written)}, "
        f"{result.files_unchanged} were there already, {result.files_kept} others kept; {result.files_verified} "
        f"verified, in {result.duration_seconds:.1f} s"
    )


_DESCRIBED: dict[type[Value], Callable[[Any], str]] = {
    BackupResult: _backup,
    CheckResult: _check,
    RestoreResult: _restore,
}


def describe_bytes(size: int) -> str:
    """A size for a person: `512 B`, `1.5 GiB`."""
    power = min(max(size.bit_length() - 1, 0) // 10, len(_UNITS) - 1)
    return f"{size / 1024**power:.1f} {_UNITS[power]}" if power else f"{size} B"
