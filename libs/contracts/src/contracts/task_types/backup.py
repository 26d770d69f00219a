"""Backups: from a source into a store."""

from typing import Annotated, Literal

from pydantic import Field

from contracts.hooks import HookOptions
from contracts.json_values import whole_number
from contracts.task_types.base import Processed, Result, TaskKind, bytes_in_words
from contracts.values import Value
from contracts.wording import counted

_Readers = Annotated[int, Field(ge=1, le=64, strict=True)]
_Cores = Annotated[int, Field(ge=1, le=256, strict=True)]


class ExecOptions(Value):
    """How much of a machine the engine takes."""

    concurrency: Annotated[_Readers | None, whole_number(_Readers | None)] = Field(
        default=None, description="Files that are read at once; without it as many as usual"
    )
    cpu: Annotated[_Cores | None, whole_number(_Cores | None)] = Field(
        default=None, description="Cores that the engine uses; without it all there are"
    )


class BackupOptions(HookOptions):
    """Options of a backup."""

    labels: tuple[str, ...] = Field(default=(), description="backup: become tags of the restore point")
    ignores: tuple[str, ...] = Field(default=(), description="backup: patterns of files to leave out")
    one_file_system: bool = Field(
        default=False, description="backup: leave out what is mounted below the source's root"
    )
    allow_empty: bool = Field(
        default=False,
        description="backup: make a restore point also of a source with nothing in it, which fails without this",
    )
    exec: ExecOptions | None = Field(
        default=None, description="backup: how much of the worker's machine the engine takes"
    )


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
            f"restore point {self.snapshot_id[:8]} with {counted(self.files_processed, 'file')}, "
            f"{self.files_new} new and {self.files_changed} changed; {bytes_in_words(self.bytes_processed)} read, "
            f"{bytes_in_words(self.bytes_added)} added to the store, in {self.duration_seconds:.1f} s"
        )

    def processed(self) -> Processed:
        """The files and bytes of the source."""
        return Processed(self.files_processed, self.bytes_processed)


KIND = TaskKind(origin="source", target="store", options=BackupOptions, hooks_of="origin")
