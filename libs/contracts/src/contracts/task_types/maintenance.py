"""Keeping a store in order: stale locks, its index, data that no restore point needs."""

from typing import Literal

from pydantic import Field

from contracts.task_types.base import TaskKind
from contracts.task_types.removal import CleanUpResult


class MaintenanceResult(CleanUpResult):
    """What a maintenance put in order."""

    type: Literal["maintenance"] = Field(default="maintenance", description="Type of the task")
    locks_removed: tuple[str, ...] = Field(
        default=(), description="Locks of processes that were gone, with the process, its host and since when"
    )
    index_repaired: bool = Field(default=False, description="Whether the index was not what the data says, and now is")

    def in_words(self) -> str:
        """Locks, index and data, in this order."""
        locks = f"{len(self.locks_removed)} stale locks removed"
        index = "index corrected" if self.index_repaired else "index as it was"
        return f"{locks}, {index}, {self.unused_in_words()}, in {self.duration_seconds:.1f} s"


KIND = TaskKind(origin="store", target=None, frees=True)
