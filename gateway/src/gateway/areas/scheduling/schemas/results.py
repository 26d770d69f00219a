"""What jobs came to, by task type."""

from typing import TYPE_CHECKING, Annotated, Any, Union, cast, get_args

from contracts.task_types.backup import BackupResult
from contracts.task_types.base import Result
from contracts.task_types.check import CheckResult
from contracts.tasks import TaskResult
from pydantic import Field, TypeAdapter, create_model

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


# Of a whole store nobody counts them; a message has no way to say so, and 0 would be a figure.
_COUNTED_IN_POINTS = frozenset({"files", "bytes_read"})


def _view_of(result: type[Result]) -> type[View]:
    """A result of the contracts as an answer has it: unchanged, with every field there."""
    fields = {
        name: (field.annotation, Field(description=field.description)) for name, field in result.model_fields.items()
    }
    if result is CheckResult:
        words = {name: f"{result.model_fields[name].description}; null: nobody tells" for name in _COUNTED_IN_POINTS}
        fields |= {name: (int | None, Field(description=words[name])) for name in words}
    return create_model(
        f"{result.__name__}View", __base__=View, __doc__=result.__doc__, **cast("dict[str, Any]", fields)
    )


# Made from the contracts, so that a new type needs no line here; figures of a backup have a field of their own.
_VIEWS = tuple(_view_of(each) for each in get_args(TaskResult) if each is not BackupResult)

if TYPE_CHECKING:
    ResultView = View
else:
    ResultView = Annotated[Union[_VIEWS], Field(discriminator="type")]  # noqa: UP007 - made, not written
_RESULT_VIEW: TypeAdapter[View] = TypeAdapter(ResultView)


def backup_view(result: TaskResult | None) -> BackupView | None:
    """The figures of a backup; None for other results."""
    return BackupView.model_validate(result.model_dump()) if isinstance(result, BackupResult) else None


def result_view(result: TaskResult | None) -> View | None:
    """The result of a job of another type than backup."""
    if result is None or isinstance(result, BackupResult):
        return None
    untold = dict.fromkeys(_COUNTED_IN_POINTS if isinstance(result, CheckResult) and not result.processed() else ())
    return _RESULT_VIEW.validate_python(result.model_dump() | untold)
