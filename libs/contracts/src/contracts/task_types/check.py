"""Checks of a store, or of restore points in it."""

from typing import Annotated, Literal

from pydantic import Field

from contracts.json_values import none_is, whole_number
from contracts.point_filters import PointSelection
from contracts.task_types.base import Processed, Result, TaskKind
from contracts.wording import counted

LISTED_POINTS = 100
MOST_SHARES = 256
"""As many as restic tells apart."""
_Shares = Annotated[int, Field(ge=0, le=MOST_SHARES, strict=True)]


class CheckOptions(PointSelection):
    """Options of a check: of the restore points that fulfil the conditions, without any of the whole store."""

    read_percent: float = Field(
        default=0,
        ge=0,
        le=100,
        strict=True,
        description="check: how much of the data is read; of a restore point all, if any",
    )
    read_shares: Annotated[_Shares, whole_number(_Shares), none_is(0, int)] = Field(
        default=0, description="check: each run reads the next of so many shares of the store's data; 0: no shares"
    )


class CheckResult(Result):
    """What a check found."""

    type: Literal["check"] = Field(default="check", description="Type of the task")
    snapshot_id: str | None = Field(
        default=None, description="The restore point, where one was checked; without any the whole store was"
    )
    snapshot_ids: tuple[str, ...] = Field(
        default=(), description=f"The restore points that were checked, newest first; the first {LISTED_POINTS}"
    )
    points: int = Field(default=0, description="How many restore points were checked; 0: the whole store")
    read_percent: float = Field(default=0, description="How much of the data was read")
    read_share: int | None = Field(default=None, description="Which share of the data was read, counted from 1")
    read_shares: int | None = Field(default=None, description="Of how many shares")
    files: int = Field(default=0, description="Files of the restore points that were looked at")
    bytes_read: int = Field(default=0, description="Bytes of the restore points that were read")
    findings: tuple[str, ...] = Field(default=(), description="What is wrong, in words; the first ones")
    finding_count: int = Field(default=0, description="How many there are")
    duration_seconds: float = Field(default=0, description="Time it took")

    def in_words(self) -> str:
        """How much was looked at and how much of it is wrong."""
        found = f"damage found, {counted(self.finding_count, 'problem')}" if self.finding_count else "no problem found"
        return f"{found} in {self._place()}, {self._read()}, in {self.duration_seconds:.1f} s"

    def _place(self) -> str:
        if self.points > 1:
            return f"{self.points} restore points"
        return f"restore point {self.snapshot_id[:8]}" if self.snapshot_id else "the store"

    def _read(self) -> str:
        if self.read_share is not None:
            return f"share {self.read_share} of {self.read_shares} of its data read"
        return f"{self.read_percent:g} % of {'their' if self.points > 1 else 'its'} data read"

    def processed(self) -> Processed | None:
        """What was looked at of a restore point; of a whole store nobody counts it."""
        return Processed(self.files, self.bytes_read, self.finding_count) if self.snapshot_id or self.points else None


KIND = TaskKind(origin="store", target=None, options=CheckOptions)
