"""Checks of a store, or of restore points in it."""

from typing import Literal

from pydantic import Field

from contracts.task_types.base import Processed, Result, TaskKind
from contracts.values import Value


class CheckOptions(Value):
    """Options of a check."""

    snapshot_id: str | None = Field(default=None, description="restore, check: the restore point")
    read_percent: float = Field(
        default=0,
        ge=0,
        le=100,
        strict=True,
        description="check: how much of the data is read; of a restore point all, if any",
    )


class CheckResult(Result):
    """What a check found."""

    type: Literal["check"] = Field(default="check", description="Type of the task")
    snapshot_id: str | None = Field(
        default=None, description="The restore point; without one the whole store was checked"
    )
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

    def processed(self) -> Processed | None:
        """What was looked at of a restore point; of a whole store nobody counts it."""
        return Processed(self.files, self.bytes_read, self.finding_count) if self.snapshot_id else None


KIND = TaskKind(origin="store", target=None, options=CheckOptions)
