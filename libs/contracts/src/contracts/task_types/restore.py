"""Restores: from a store into a destination, or back into a source."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from contracts.file_properties import FileProperty
from contracts.hooks import HookOptions
from contracts.json_values import none_is
from contracts.point_filters import Flag, PointSelection
from contracts.task_types.base import Processed, Result, TaskKind, bytes_in_words
from contracts.values import Value
from contracts.wording import counted

OverwritePolicy = Literal["always", "if_changed", "if_newer", "never"]
"""What becomes of a file that is there already: replaced, replaced where its size or time differs, replaced where the
restore point's is newer, kept. Unless all are kept, one with the same size and time gets its attributes."""


LISTED_CHANGES = 100
"""Of what a dry run would change, so many are in its result; its log has more."""
LONGEST_FOLDER = 4096


def _folder(text: str) -> str:
    if text.startswith("/") and text.strip("/"):
        raise ValueError("must be a folder below the destination's root, so without a slash at its beginning")
    parts = text.strip("/").split("/") if text.strip("/") else []
    if len(text.encode(errors="replace")) > LONGEST_FOLDER:
        raise ValueError(f"is longer than {LONGEST_FOLDER} bytes")
    if "\0" in text:
        raise ValueError("must not hold a NUL character")
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError("must be a folder below the destination's root, without empty parts, `.` and `..`")
    return "/".join(parts)


_Folder = Annotated[str, AfterValidator(_folder)]
_Kept = Annotated[Annotated[bool, Field(strict=True)], none_is(True, bool)]


class Keep(Value):
    """Which attributes of files a restore gives back."""

    owner: _Kept = Field(default=True, description="Owner and group, where the worker runs as root")
    mode: _Kept = Field(default=True, description="Permissions; access lists too, unless `xattrs` is false")
    times: _Kept = Field(default=True, description="Times of change and access")
    xattrs: _Kept = Field(default=True, description="Extended attributes")


class RestoreOptions(HookOptions, PointSelection):
    """Options of a restore, of the newest restore point that fulfils all conditions."""

    paths: tuple[str, ...] = Field(
        default=(), description="restore: files and directories of the restore point; none: all of it"
    )
    overwrite: OverwritePolicy = Field(
        default="always", description="restore: what becomes of files that are there already"
    )
    root: Annotated[_Folder, none_is("", _Folder)] = Field(
        default="",
        description="restore: the folder to restore into, relative to the destination's root; made where it is missing",
    )
    keep: Annotated[Keep, none_is(Keep(), Keep)] = Field(
        default=Keep(), description="restore: which attributes of files are given back"
    )
    dry_run: Flag = Field(default=False, description="restore: write nothing, tell what would be written")


class RestoreChange(Value):
    """What becomes of one file."""

    path: str = Field(description="In the restore point, beginning with a slash")
    change: Literal["created", "replaced", "kept"] = Field(description="`kept`: it stays as it is")
    bytes: int = Field(default=0, description="Size of what is written")


class RestoreResult(Result):
    """What a restore wrote, or with `dry_run` would write."""

    type: Literal["restore"] = Field(default="restore", description="Type of the task")
    snapshot_id: str = Field(description="The restore point that was restored from")
    points_matched: int = Field(
        default=1, description="How many restore points fulfilled the conditions; the newest was taken"
    )
    root: str = Field(default="", description="The folder of the destination that was restored into")
    files: int = Field(default=0, description="Files, links and special files that were chosen")
    files_written: int = Field(default=0, description="How many of them were written")
    files_unchanged: int = Field(
        default=0,
        description="How many were there already with the same size and time; unless the policy is `never`, these are "
        "given the owner, mode and extended attributes of the restore point where theirs differ",
    )
    files_kept: int = Field(default=0, description="How many others were left as they were, by the overwrite policy")
    files_verified: int = Field(default=0, description="How many were read back and had the restore point's content")
    bytes_written: int = Field(default=0, description="Bytes written")
    dry_run: bool = Field(default=False, description="Whether nothing was written, and this is what would be")
    created: int = Field(default=0, description="Files and directories that were not there and were made")
    replaced: int = Field(default=0, description="Files that took the place of others")
    kept: int = Field(
        default=0, description="Files and directories that were there and stayed, also with other attributes"
    )
    changes: tuple[RestoreChange, ...] = Field(
        default=(), description=f"dry_run: what would be created and replaced; the first {LISTED_CHANGES}"
    )
    not_kept: tuple[FileProperty, ...] = Field(
        default=(), description="What of files is not given back, because the destination cannot or the options say so"
    )
    problem_count: int = Field(default=0, description="What could not be restored, or is not what it should be")
    duration_seconds: float = Field(default=0, description="Time it took")

    def in_words(self) -> str:
        """How many files were written, or would be, and what became of the others."""
        point = f"restore point {self.snapshot_id[:8]}" + (f" into {self.root}" if self.root else "")
        if self.dry_run:
            return (
                f"{point}: nothing was written; {self.created} would be created, {self.replaced} replaced and "
                f"{self.kept} kept, in {self.duration_seconds:.1f} s"
            )
        return (
            f"{point}: {self.files_written} of {counted(self.files, 'file')} written with "
            f"{bytes_in_words(self.bytes_written)}, {self.files_unchanged} were there already, {self.files_kept} "
            f"others kept; {self.files_verified} verified, in {self.duration_seconds:.1f} s"
        )

    def processed(self) -> Processed:
        """The files that were chosen and the bytes that were written."""
        return Processed(self.files, self.bytes_written, self.problem_count)


KIND = TaskKind(origin="store", target="destination", other_target="source", options=RestoreOptions, hooks_of="target")
