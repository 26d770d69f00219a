"""Restores: from a store into a destination, or back into a source."""

from typing import Literal

from pydantic import Field

from contracts.hooks import HookOptions
from contracts.task_types.base import Processed, Result, TaskKind, bytes_in_words
from contracts.values import Value

OverwritePolicy = Literal["always", "if_changed", "if_newer", "never"]
"""What becomes of a file that is there already: replaced, replaced where its size or time differs, replaced where the
restore point's is newer, kept."""


class Keep(Value):
    """Which attributes of files a restore gives back."""

    owner: bool = Field(default=True, description="Owner and group, where the worker runs as root")
    mode: bool = Field(default=True, description="Permissions; access lists too, unless `xattrs` is false")
    times: bool = Field(default=True, description="Times of change and access")
    xattrs: bool = Field(default=True, description="Extended attributes")


class RestoreOptions(HookOptions):
    """Options of a restore."""

    snapshot_id: str | None = Field(default=None, description="restore, check: the restore point")
    paths: tuple[str, ...] = Field(
        default=(), description="restore: files and directories of the restore point; none: all of it"
    )
    overwrite: OverwritePolicy = Field(
        default="always", description="restore: what becomes of files that are there already"
    )


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

    def processed(self) -> Processed:
        """The files that were chosen and the bytes that were written."""
        return Processed(self.files, self.bytes_written, self.problem_count)


KIND = TaskKind(
    origin="store",
    target="destination",
    other_target="source",
    options=RestoreOptions,
    required_options=("snapshot_id",),
)
