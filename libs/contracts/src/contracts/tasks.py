"""Task types: what each works on, its options and its result. What a worker does for a type is in its `tasks/`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from pydantic import Field

from contracts.messages.assignment import AppKind, AppRef
from contracts.values import Value

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")

TaskType = Literal["backup", "restore", "sync", "check", "prune", "rm", "maintenance"]
"""All types that exist; `TASK_KINDS` has those that can be run."""

OverwritePolicy = Literal["always", "if_changed", "if_newer", "never"]
"""What becomes of a file that is there already: replaced, replaced where its size or time differs, replaced where the
restore point's is newer, kept."""


class BackupOptions(Value):
    """Options of a backup."""

    labels: tuple[str, ...] = Field(default=(), description="backup: become tags of the restore point")
    ignores: tuple[str, ...] = Field(default=(), description="backup: patterns of files to leave out")
    one_file_system: bool = Field(
        default=False, description="backup: leave out what is mounted below the source's root"
    )
    allow_empty: bool = Field(
        default=False, description="backup: make a restore point also of a source with nothing in it"
    )


class CheckOptions(Value):
    """Options of a check."""

    snapshot_id: str | None = Field(default=None, description="restore, check: the restore point")
    read_percent: float = Field(
        default=0, ge=0, le=100, description="check: how much of the data is read; of a restore point all, if any"
    )


class RestoreOptions(Value):
    """Options of a restore."""

    snapshot_id: str | None = Field(default=None, description="restore, check: the restore point")
    paths: tuple[str, ...] = Field(
        default=(), description="restore: files and directories of the restore point; none: all of it"
    )
    overwrite: OverwritePolicy = Field(
        default="always", description="restore: what becomes of files that are there already"
    )


# One class for all types, because the public API has one object with the options of all of them.
class TaskOptions(RestoreOptions, CheckOptions, BackupOptions):
    """Options of one run: those of all types side by side; which of them count depends on the type of the task."""


@dataclass(frozen=True)
class TaskKind:
    """What a type of task is about."""

    origin: AppKind
    target: AppKind | None
    """None: a task of this type has no target."""
    other_target: AppKind | None = None
    """What it may go to as well."""
    options: type[Value] = Value
    """Those of `TaskOptions` that say something about a task of this type."""
    required_options: tuple[str, ...] = ()
    """Those that a task of this type cannot be run without."""


TASK_KINDS: dict[TaskType, TaskKind] = {
    "backup": TaskKind(origin="source", target="store", options=BackupOptions),
    "restore": TaskKind(
        origin="store",
        target="destination",
        other_target="source",
        options=RestoreOptions,
        required_options=("snapshot_id",),
    ),
    "check": TaskKind(origin="store", target=None, options=CheckOptions),
}
"""The types that workers can run."""

PLANNED_KINDS: dict[TaskType, TaskKind] = {"sync": TaskKind(origin="store", target="store")}
"""The types that the public API takes and the scheduler rejects by a code of their own, as no worker runs them yet."""


def origins_in_words() -> str:
    """What tasks of each type start from: `backup: a source; restore, check: a store`."""
    return _in_words((name, kind.origin) for name, kind in (TASK_KINDS | PLANNED_KINDS).items())


def targets_in_words() -> str:
    """What tasks of each type go to; types without a target are left out."""
    return _in_words(
        (name, " or a ".join(filter(None, (kind.target, kind.other_target))))
        for name, kind in (TASK_KINDS | PLANNED_KINDS).items()
        if kind.target
    )


def _in_words(parties: Iterable[tuple[TaskType, str]]) -> str:
    types: dict[str, list[str]] = {}
    for name, party in parties:
        types.setdefault(party, []).append(name)
    return "; ".join(f"{', '.join(names)}: a {party}" for party, names in types.items())


class Task(Value):
    """What should happen."""

    type: TaskType = Field(description="What kind of work")
    origin: AppRef = Field(description=origins_in_words())
    target: AppRef | None = Field(default=None, description=targets_in_words())
    options: TaskOptions = Field(default=TaskOptions(), description="Options of the run")


class Result(Value):
    """Base of what jobs come to."""

    def in_words(self) -> str:
        """In one line of the job's log; empty where there is nothing to say."""
        return ""


class BackupResult(Result):
    """Figures of a finished backup."""

    type: Literal["backup"] = Field(default="backup", description="Type of the task")
    snapshot_id: str = Field(description="The restore point that was made")
    files_new: int = Field(default=0, description="Files that the previous backup had not")
    files_changed: int = Field(default=0, description="Files that the previous backup had otherwise")
    files_unmodified: int = Field(default=0, description="Files that the previous backup had just so")
    files_processed: int = Field(default=0, description="Files in all")
    bytes_processed: int = Field(default=0, description="Bytes read, before deduplication")
    bytes_added: int = Field(default=0, description="Written to the store, after deduplication and compression")
    duration_seconds: float = Field(default=0, description="Time the engine took")

    def in_words(self) -> str:
        """Which restore point there is now, and how much of it is new."""
        return (
            f"restore point {self.snapshot_id[:8]} with {self.files_processed} files, {self.files_new} new and "
            f"{self.files_changed} changed; {bytes_in_words(self.bytes_processed)} read, "
            f"{bytes_in_words(self.bytes_added)} added to the store, in {self.duration_seconds:.1f} s"
        )


class CheckResult(Result):
    """What a check found."""

    type: Literal["check"] = Field(default="check", description="Type of the task")
    snapshot_id: str | None = Field(default=None, description="The restore point; None: the whole store was checked")
    read_percent: float = Field(default=0, description="How much of the data was read")
    files: int = Field(default=0, description="Files of the restore point that were looked at")
    bytes_read: int = Field(default=0, description="Bytes of the restore point that were read")
    findings: tuple[str, ...] = Field(default=(), description="What is wrong, in words; the first ones")
    finding_count: int = Field(default=0, description="How many there are")
    duration_seconds: float = Field(default=0, description="Time it took")

    def in_words(self) -> str:
        """How much was looked at and how much of it is wrong."""
        what = f"restore point {self.snapshot_id[:8]}" if self.snapshot_id else "the store"
        found = f"{self.finding_count} problems" if self.finding_count else "no problem"
        return f"{found} found in {what}, {self.read_percent:g} % of its data read, in {self.duration_seconds:.1f} s"


class RestoreResult(Result):
    """What a restore wrote."""

    type: Literal["restore"] = Field(default="restore", description="Type of the task")
    snapshot_id: str = Field(description="The restore point that was restored from")
    files: int = Field(default=0, description="Files, links and special files that were chosen")
    files_written: int = Field(default=0, description="How many of them were written")
    files_unchanged: int = Field(default=0, description="How many were there already with the same size and time")
    files_kept: int = Field(default=0, description="How many others were left as they were, by the overwrite policy")
    files_verified: int = Field(default=0, description="How many were read back and had the restore point's content")
    bytes_written: int = Field(default=0, description="Bytes written")
    problem_count: int = Field(default=0, description="What could not be restored, or is not what it should be")
    duration_seconds: float = Field(default=0, description="Time it took")

    def in_words(self) -> str:
        """How many files were written and what became of the others."""
        return (
            f"{self.files_written} of {self.files} files written with {bytes_in_words(self.bytes_written)}, "
            f"{self.files_unchanged} were there already, {self.files_kept} others kept; {self.files_verified} "
            f"verified, in {self.duration_seconds:.1f} s"
        )


TaskResult: TypeAlias = BackupResult | CheckResult | RestoreResult
"""What a job of a type comes to; `type` is the tag. Carried unchanged from the worker to the API."""


def lift_result(data: Any) -> Any:
    """What carries a result, as it was stored or sent: versions before results had types had `backup` only."""
    # Jobs that were stored, and messages that were sent, before an upgrade are read after it.
    if isinstance(data, dict) and data.get("result") is None and data.get("backup") is not None:
        figures = data["backup"]
        return data | {"result": {"type": "backup", **figures} if isinstance(figures, dict) else figures}
    return data


def bytes_in_words(size: int) -> str:
    """A size for a person: `512 B`, `1.5 GiB`."""
    power = min(max(size.bit_length() - 1, 0) // 10, len(_UNITS) - 1)
    return f"{size / 1024**power:.1f} {_UNITS[power]}" if power else f"{size} B"
