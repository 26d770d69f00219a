"""What jobs came to, by task type."""

from typing import Annotated, Literal, TypeAlias

from contracts.tasks import BackupResult, TaskResult
from pydantic import Field, TypeAdapter

from gateway.http.answers import View
from gateway.http.examples import example

BACKUP_EXAMPLE = {
    "snapshot_id": "5f" * 32,
    "files_new": 3,
    "files_changed": 0,
    "files_unmodified": 5,
    "files_processed": 8,
    "bytes_processed": 32500,
    "bytes_added": 4096,
    "duration_seconds": 1.5,
}
_CHECK_EXAMPLE = {
    "type": "check",
    "snapshot_id": "5f" * 32,
    "read_percent": 100.0,
    "files": 8,
    "bytes_read": 32500,
    "findings": ["/srv/files/letter.txt: its data is damaged"],
    "finding_count": 1,
    "duration_seconds": 1.5,
}
_RESTORE_EXAMPLE = {
    "type": "restore",
    "snapshot_id": "5f" * 32,
    "files": 8,
    "files_written": 5,
    "files_unchanged": 2,
    "files_kept": 1,
    "files_verified": 5,
    "bytes_written": 20000,
    "problem_count": 0,
    "duration_seconds": 1.5,
}


class BackupView(View):
    """Figures of a finished backup."""

    model_config = example(**BACKUP_EXAMPLE)

    snapshot_id: str = Field(description="The restore point that was made")
    files_new: int = Field(description="Files that the previous backup had not")
    files_changed: int = Field(description="Files that the previous backup had otherwise")
    files_unmodified: int = Field(description="Files that the previous backup had just so")
    files_processed: int
    bytes_processed: int = Field(description="Read, before deduplication")
    bytes_added: int = Field(description="Written to the store, after deduplication and compression")
    duration_seconds: float


class CheckResultView(View):
    """What a check found."""

    model_config = example(**_CHECK_EXAMPLE)

    type: Literal["check"]
    snapshot_id: str | None = Field(description="The restore point; null: the whole store was checked")
    read_percent: float = Field(description="How much of the data was read")
    files: int = Field(description="Files of the restore point that were looked at")
    bytes_read: int = Field(description="Bytes of the restore point that were read")
    findings: list[str] = Field(description="What is wrong, in words; the first ones")
    finding_count: int = Field(description="How many there are")
    duration_seconds: float


class RestoreResultView(View):
    """What a restore wrote."""

    model_config = example(**_RESTORE_EXAMPLE)

    type: Literal["restore"]
    snapshot_id: str = Field(description="The restore point that was restored from")
    files: int = Field(description="Files, links and special files that were chosen")
    files_written: int
    files_unchanged: int = Field(description="Those that were there already with the same size and time")
    files_kept: int = Field(description="Others that were left as they were, by the overwrite policy")
    files_verified: int = Field(description="Those that were read back and had the restore point's content")
    bytes_written: int
    problem_count: int = Field(description="What could not be restored, or is not what it should be")
    duration_seconds: float


ResultView: TypeAlias = Annotated[CheckResultView | RestoreResultView, Field(discriminator="type")]
_RESULT_VIEW: TypeAdapter[ResultView] = TypeAdapter(ResultView)


def backup_view(result: TaskResult | None) -> BackupView | None:
    """The figures of a backup; None for other results."""
    return BackupView.model_validate(result.model_dump()) if isinstance(result, BackupResult) else None


def result_view(result: TaskResult | None) -> ResultView | None:
    """The result of a job of another type than backup."""
    if result is None or isinstance(result, BackupResult):
        return None
    return _RESULT_VIEW.validate_python(result.model_dump())
