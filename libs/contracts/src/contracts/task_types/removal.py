"""What tasks that delete restore points tell."""

from pydantic import Field

from contracts.task_types.base import Result, bytes_in_words
from contracts.values import Moment
from contracts.wording import counted

MOST_LISTED = 500
"""Restore points in each list of a result; beyond that they are counted."""


class CleanUpResult(Result):
    """What a store had that no restore point needed, and what became of it."""

    unused_bytes: int = Field(default=0, description="Data that no restore point needs any more")
    remaining_bytes: int = Field(default=0, description="Data that the store has left; 0 where it was not looked at")
    kept_files: int = Field(default=0, description="Files with unused data that the store does not delete yet")
    store_keeps: str = Field(
        default="",
        description="Why the store still keeps what was deleted, or what was to be, in words: it is append-only, or"
        " locks objects",
    )
    kept_until: Moment | None = Field(
        default=None, description="Until when the store keeps what it has deleted or refuses to delete, where known"
    )
    duration_seconds: float = Field(default=0, description="Time it took")

    def unused_in_words(self) -> str:
        """What became of unused data."""
        kept = f" and {counted(self.kept_files, 'file')} of it kept by the store" if self.kept_files else ""
        return f"{bytes_in_words(self.unused_bytes)} of unused data{kept}"


class RemovalResult(CleanUpResult):
    """Which restore points were deleted, and what kept the others. Of each list the first ones, and how many."""

    deleted: tuple[str, ...] = Field(default=(), description="Restore points that are gone, newest first")
    deleted_count: int = Field(default=0, description="How many there are")
    held: tuple[str, ...] = Field(default=(), description="Kept by a legal hold")
    held_count: int = Field(default=0, description="How many there are")
    floored: tuple[str, ...] = Field(default=(), description="Kept by the retention floor of the organization")
    floored_count: int = Field(default=0, description="How many there are")
    kept_by_store: tuple[str, ...] = Field(default=(), description="To be deleted, and the store does not do it yet")
    kept_by_store_count: int = Field(default=0, description="How many there are")
    being_deleted: tuple[str, ...] = Field(default=(), description="Left to another job that deletes them")
    being_deleted_count: int = Field(default=0, description="How many there are")
    missing: tuple[str, ...] = Field(default=(), description="Not in the store")

    def in_words(self) -> str:
        """How many are gone, what kept others, and how much data is needed no more."""
        others = (
            (self.held_count, "kept by a legal hold"),
            (self.floored_count, "kept by the retention floor"),
            (self.kept_by_store_count, "kept by the store"),
            (self.being_deleted_count or len(self.being_deleted), "left to another job"),
            (len(self.missing), "not there"),
        )
        named = "".join(f", {count} {why}" for count, why in others if count)
        return (
            f"{counted(self.deleted_count, 'restore point')} deleted{named}; {self.unused_in_words()}, "
            f"in {self.duration_seconds:.1f} s"
        )
