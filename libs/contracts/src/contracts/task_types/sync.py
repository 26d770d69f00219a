"""Syncs: copies of restore points from one store into another."""

from typing import Literal

from pydantic import Field

from contracts.point_filters import PointSelection
from contracts.task_types.base import Processed, Result, TaskKind, bytes_in_words
from contracts.wording import counted


class SyncOptions(PointSelection):
    """Options of a sync: which restore points of its origin; without any, all of them."""


class SyncResult(Result):
    """What a sync copied."""

    type: Literal["sync"] = Field(default="sync", description="Type of the task")
    points_chosen: int = Field(default=0, description="Restore points of the origin that were to be in the target")
    points_copied: int = Field(default=0, description="How many of them were copied")
    points_present: int = Field(default=0, description="How many the target had already")
    unreadable_count: int = Field(
        default=0, description="Restore points of the origin that cannot be read, and so were not copied"
    )
    bytes_copied: int = Field(default=0, description="Data that the target lacked, as the origin stores it: compressed")
    duration_seconds: float = Field(default=0, description="Time it took")

    def in_words(self) -> str:
        """How many restore points were copied and how many had been before, or that none was meant."""
        if not self.points_chosen and not self.unreadable_count:
            return f"no restore point of the origin was chosen, nothing was copied, in {self.duration_seconds:.1f} s"
        unreadable = f", {self.unreadable_count} cannot be read" if self.unreadable_count else ""
        return (
            f"{self.points_copied} of {counted(self.points_chosen, 'restore point')} copied with "
            f"{bytes_in_words(self.bytes_copied)}, {self.points_present} were there already{unreadable}, "
            f"in {self.duration_seconds:.1f} s"
        )

    def processed(self) -> Processed:
        """The data that was copied; a sync handles restore points, no files."""
        return Processed(0, self.bytes_copied)


KIND = TaskKind(origin="store", target="store", options=SyncOptions)
